package configparse

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// sameAsAnew reads files with a Reader and with Load, which must agree, and
// gives how many blocks the Reader did not read.
func sameAsAnew(t *testing.T, r *Reader, files Files, env Env) int {
	t.Helper()
	got, said := r.Load(files, "/FILE", env)
	want, says := Load(files, "/FILE", env)
	if !reflect.DeepEqual(said, says) {
		t.Fatalf("problems\n%v\nanew\n%v\nof\n%v", said, says, files)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v\nanew\n%+v\nof\n%v", got, want, files)
	}
	return r.passed
}

const twoServices = `global_defs {
 router_id R
}
virtual_server 10.0.0.1 80 {
 lb_algo rr
 lb_kind NAT
 protocol TCP
 real_server 10.1.0.1 80 {
  weight 3
  HTTP_GET {
   url {
    path "/a b" # quoted
    status_code 200
   }
  }
 }
}
virtual_server 10.0.0.2 80 { ! one line less
 protocol TCP
 lb_algo wrr
 lb_kind NAT
 real_server 10.1.0.1 80 {
  TCP_CHECK {
  }
 }
}
`

func TestReaderPassesOver(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(text string) string
		passed int
	}{
		{"nothing", func(s string) string { return s }, 2},
		{"lines before", func(s string) string { return "! more\n\n" + s }, 2},
		{"a comment inside", func(s string) string { return strings.Replace(s, "weight 3", "weight 3 # still", 1) }, 1},
		{"one server", func(s string) string { return strings.Replace(s, "weight 3", "weight 4", 1) }, 1},
		{"other order", func(s string) string {
			a, b := strings.Index(s, "virtual_server 10.0.0.1"), strings.Index(s, "virtual_server 10.0.0.2")
			return s[:a] + s[b:] + s[a:b]
		}, 2},
		{"twice", func(s string) string { return s + s[strings.Index(s, "virtual_server 10.0.0.2"):] }, 3},
		{"definitions", func(s string) string {
			return "$IF=eth0\n" + s + "\nvrrp_instance a {\n interface $IF\n virtual_router_id 3\n}\n"
		}, 2},
		{"another default", func(s string) string { return strings.Replace(s, "router_id R", "smtp_alert", 1) }, 0},
		{"a mistake elsewhere", func(s string) string { return s + "nonsense\n" }, 2},
		{"inside of a block", func(s string) string { return strings.Replace(s, "router_id R\n}", "router_id R\n", 1) }, 0},
		{"after a block without its brace", func(s string) string { return strings.Replace(s, "R\n}\n", "R\n}\nvrrp_instance a\n", 1) }, 0},
		{"inside of a definition", func(s string) string { return strings.Replace(s, "R\n}\n", "R\n}\n$A= \\\n", 1) }, 1},
		{"no newline at the end", func(s string) string { return s[:len(s)-1] }, 1},
		{"more behind the brace", func(s string) string { return s[:len(s)-1] + " $X\n" }, 1},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			var r Reader
			sameAsAnew(t, &r, Files{"FILE": twoServices}, Env{})
			if n := sameAsAnew(t, &r, Files{"FILE": c.change(twoServices)}, Env{}); n != c.passed {
				t.Errorf("%d blocks were passed over, want %d", n, c.passed)
			}
			sameAsAnew(t, &r, Files{"FILE": twoServices}, Env{})
		})
	}
}

// What is not the same each time is not remembered.
func TestReaderReadsAgain(t *testing.T) {
	service := func(head, in string) string {
		return "virtual_server " + head + " {\n protocol TCP\n lb_kind DR\n lb_algo rr\n real_server 10.1.0.1 80 {\n weight 1\n" + in + "}\n}\n"
	}
	const check = " MISC_CHECK {\n misc_path /bin/true\n }\n"
	for name, text := range map[string]string{
		"a script":      service("10.0.0.1 80", check),
		"a group":       "virtual_server_group g {\n 10.0.0.1 80\n}\n" + service("group g", ""),
		"a definition":  "$P=80\n" + service("10.0.0.1 $P", ""),
		"a condition":   service("10.0.0.1 80", "@host weight 2\n"),
		"a sequence":    service("10.0.0.1 80", "~SEQ(A,1,2) weight $A\n"),
		"an include":    service("10.0.0.1 80", "include /none*\n"),
		"two at a time": "virtual_server 10.0.0.1 80 {\n protocol TCP\n lb_algo rr\n real_server 10.1.0.1 80 {\n}\n} virtual_server 10.0.0.2 80 {\n protocol TCP\n lb_algo rr\n real_server 10.1.0.1 80 {\n}\n}\n",
		"a backslash":   service("10.0.0.1 80 \\", ""),
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			var r Reader
			files := Files{"FILE": text}
			env := Env{ConfigID: "host", User: func(string) (User, bool) { return User{}, true }}
			sameAsAnew(t, &r, files, env)
			if n := sameAsAnew(t, &r, files, env); n != 0 {
				t.Errorf("%d blocks were passed over", n)
			}
		})
	}
}

// A service that is kept for its problems only is not kept.
func TestReaderWithoutServices(t *testing.T) {
	r := Reader{NoServices: true}
	for range 2 {
		cfg, problems := r.Load(Files{"FILE": twoServices}, "/FILE", Env{})
		if len(problems) > 0 || cfg.Checker.Services != nil || !cfg.HasChecker {
			t.Fatalf("%v %+v", problems, cfg)
		}
	}
	if r.passed != 2 {
		t.Errorf("%d blocks were passed over, want 2", r.passed)
	}
}

// pieces are what random configurations are made of; those behind broken are
// rarer.
var pieces, broken = []string{
	"virtual_server 10.0.0.%d 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n real_server 10.1.0.%[1]d 80 {\n  weight 1\n }\n}\n",
	"virtual_server 10.0.0.%d 80 {\n\tlb_algo wrr # why\n protocol TCP\n\n real_server 10.1.0.1 80 {\n TCP_CHECK {\n connect_timeout %[1]d\n }\n }\n}\n",
	"  virtual_server 10.0.0.%d 443\n{\r\n lb_algo sh\r\n lb_kind TUN\r\n protocol TCP\r\n real_server 10.1.0.1 443 {\r\n SSL_GET {\n url {\n path \"/x#y\"\n digest 0123456789abcdef0123456789abcdef\n }\n }\n }\n}\n",
	"virtual_server fe80::%d 80 { lb_algo rr\n lb_kind NAT\n protocol TCP\n real_server fe80::1 80 { SMTP_CHECK { helo_name \"a\" } } }\n",
	"virtual_server 10.0.0.%d 53 {\n lb_algo rr\n lb_kind NAT\n protocol UDP\n real_server 10.1.0.2 53 {\n DNS_CHECK {\n name \"a\\\"b\"\n }\n inhibit_on_failure\n }\n sorry_server 10.1.0.3 53\n quorum 1\n}\n",
	"virtual_server_group g%d {\n 10.9.0.%[1]d 80\n}\nvirtual_server group g%[1]d {\n lb_algo rr\n protocol TCP\n real_server 10.1.0.1 80 {\n }\n}\n",
	"global_defs {\n smtp_alert\n}\n", "global_defs {\n checker_log_all_failures\n}\n",
	"vrrp_instance i%d {\n interface eth0\n virtual_router_id %[1]d\n virtual_ipaddress {\n 10.2.0.%[1]d\n }\n}\n",
	"$P=%d\n", "virtual_server 10.0.0.1 $P {\n lb_algo rr\n protocol TCP\n real_server 10.1.0.1 80 {\n }\n}\n", "include MORE\n", "! remark\n",
}, []string{
	"}\n", "{\n", "nonsense %d\n", "vrrp_instance x\n", "vrrp_instance y {\n", "virtual_server 10.0.0.%d 80 {\n", "static_routes\n",
	"$Q= \\\n", "virtual_ipaddress {\n", "virtual_server 10.0.0.%d 80 {\n lb_algo rr\n real_server 10.1.0.1 80 {\n }\n}\n", "\"\n", "virtual_server bad {\n}\n",
}

func randomPiece(r *rand.Rand) string {
	from := pieces
	if r.IntN(40) == 0 {
		from = broken
	}
	return fill(from[r.IntN(len(from))], 1+r.IntN(6))
}

func fill(piece string, n int) string {
	if !strings.Contains(piece, "%") {
		return piece
	}
	return fmt.Sprintf(piece, n)
}

// Random configurations that are edited at random mean the same to a Reader.
func TestReaderAgreesWithLoad(t *testing.T) {
	passed := 0
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var list, more []string
		for range 2 + rnd.IntN(8) {
			list = append(list, randomPiece(rnd))
		}
		var reader Reader
		for range 8 {
			passed += sameAsAnew(t, &reader, Files{"FILE": strings.Join(list, ""), "MORE": strings.Join(more, "")}, Env{Seed: seed})
			target := &list
			if rnd.IntN(4) == 0 {
				target = &more
			}
			for range 1 + rnd.IntN(2) {
				at := rnd.IntN(len(*target) + 1)
				switch piece := strings.ReplaceAll(randomPiece(rnd), "include MORE", "! no"); {
				case at == len(*target) || rnd.IntN(2) == 0:
					*target = append((*target)[:at:at], append([]string{piece}, (*target)[at:]...)...)
				case rnd.IntN(2) == 0:
					*target = append((*target)[:at:at], (*target)[at+1:]...)
				default:
					(*target)[at] = piece
				}
			}
		}
	}
	if passed < 1000 {
		t.Errorf("only %d blocks were passed over", passed)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(twoServices, twoServices+twoServices)
	for _, p := range broken {
		f.Add(twoServices, fill(p, 1)+twoServices)
		f.Add(fill(p, 1)+twoServices, twoServices)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		if len(before)+len(after) > 1<<16 {
			t.Skip()
		}
		var r Reader
		sameAsAnew(t, &r, Files{"FILE": before}, Env{})
		sameAsAnew(t, &r, Files{"FILE": after}, Env{})
	})
}

// A keyword without effect is mentioned where it comes first. A block with one
// must not be passed over.
func TestServiceKeywordsHaveEffect(t *testing.T) {
	lists := map[string][]string{}
	idle(lists, "virtual_server", serviceBlock)
	idle(lists, "real_server", serverBlock)
	idle(lists, "TCP_CHECK", tcpBlock)
	idle(lists, "UDP_CHECK", udpBlock)
	idle(lists, "DNS_CHECK", dnsBlock)
	idle(lists, "SMTP_CHECK", smtpBlock)
	idle(lists, "host", hostBlock)
	idle(lists, "SSL_GET", sslGetBlock)
	idle(lists, "url", sslURLBlock)
	if len(lists) > 0 {
		t.Errorf("nothing acts on %v", lists)
	}
}

func idle[T any](lists map[string][]string, name string, b block[T]) {
	for keyword, r := range b {
		if r.acts == "" {
			lists[name] = append(lists[name], keyword)
		}
	}
}
