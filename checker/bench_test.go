package checker

import (
	"testing"
	"time"
)

// BenchmarkReport is what the pool does with a result that changes nothing.
func BenchmarkReport(b *testing.B) {
	p, now := NewPool(), time.Unix(1000, 0)
	cfg := service1()
	for i := range 100 {
		cfg.Servers = append(cfg.Servers, tcpServer("127.0.0."+string(rune('0'+i%10))+":80", 1))
		cfg.Servers[i].Addr = local(uint16(1000 + i))
	}
	p.Load(now, &Config{Services: []ServiceConfig{cfg}}, Options{})
	p.Drain()
	b.ReportAllocs()
	for i := range b.N {
		p.Report(now, CheckID(i%100+1), Result{Reason: OK})
		p.Drain()
	}
}

// BenchmarkHTTPAnswer is what reading an answer costs besides the system calls.
func BenchmarkHTTPAnswer(b *testing.B) {
	c := httpCheck(local(80))
	d := newHTTPDialog(&c, 0)
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n")
	var r Result
	b.ReportAllocs()
	for range b.N {
		r = Result{}
		d.opened(&r)
		d.got(answer, &r)
		d.got(nil, &r)
	}
	if r.Reason != OK {
		b.Fatal(r.Reason)
	}
}

// BenchmarkSchedule is the heap with 10,000 checks.
func BenchmarkSchedule(b *testing.B) {
	var h heap[*job]
	for i := range 10000 {
		h.put(&job{id: CheckID(i)}, int64(i))
	}
	b.ReportAllocs()
	for i := range b.N {
		j := h.top()
		h.remove(j)
		h.put(j, int64(10000+i))
	}
}
