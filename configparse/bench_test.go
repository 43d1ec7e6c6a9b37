package configparse

import (
	"fmt"
	"strings"
	"testing"
)

func realServers(n int) string {
	var b strings.Builder
	for v := range n / 100 {
		fmt.Fprintf(&b, "virtual_server 10.%d.%d.1 80 {\n delay_loop 6\n lb_algo rr\n lb_kind DR\n protocol TCP\n", v/250, v%250)
		for r := range 100 {
			fmt.Fprintf(&b, " real_server 172.16.%d.%d 80 {\n  weight 1\n  TCP_CHECK {\n   connect_timeout 3\n  }\n }\n", v%250, r+1)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func instances(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "vrrp_instance VI_%d {\n state BACKUP\n interface eth%d\n virtual_router_id %d\n priority 100\n advert_int 1\n", i, i/255, i%255+1)
		fmt.Fprintf(&b, " authentication {\n  auth_type PASS\n  auth_pass secret\n }\n virtual_ipaddress {\n  10.%d.%d.1/24\n }\n}\n", i/250, i%250)
	}
	return b.String()
}

func benchmarkLoad(b *testing.B, text string) {
	files := Files{"FILE": text}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		cfg, problems := Load(files, "FILE", Env{Test: true})
		if len(problems) != 0 || cfg.Failed[VRRP] {
			b.Fatal(problems[0])
		}
	}
}

func BenchmarkRealServers(b *testing.B) { benchmarkLoad(b, realServers(50_000)) }
func BenchmarkInstances(b *testing.B)   { benchmarkLoad(b, instances(4_000)) }
func BenchmarkSequence(b *testing.B) {
	benchmarkLoad(b, "vrrp_instance V {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress_excluded {\n  ~SEQ(A,1,200) ~SEQ(B,1,250) 10.1.${A}.${B}\n }\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n")
}

// BenchmarkReload is a reading in which nothing is new.
func BenchmarkReload(b *testing.B) {
	files := Files{"FILE": strings.ReplaceAll(realServers(10_000), " lb_algo", " lb_kind DR\n lb_algo")}
	var r Reader
	r.Load(files, "FILE", Env{})
	b.ReportAllocs()
	for b.Loop() {
		r.Load(files, "FILE", Env{})
	}
	if r.passed != 100 {
		b.Fatalf("%d blocks were passed over", r.passed)
	}
}
