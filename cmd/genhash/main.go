// Command genhash prints the MD5 digest of a page, as the digest keyword of
// HTTP_GET and SSL_GET wants it.
package main

import (
	"context"
	"crypto/md5"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/keepalived-go/keepalived/checker"
)

func main() { os.Exit(run(os.Args[0], os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program, called by name; it returns the exit status. A server that does not answer
// is reported on the standard output with status 0, as keepalived's genhash
// does.
func run(name string, args []string, stdout, stderr io.Writer) int {
	opt, complaint := parse(args)
	if complaint != "" {
		fmt.Fprintln(stderr, complaint)
	}
	if complaint != "" || opt.help {
		fmt.Fprintf(stderr, usage, name)
		return 1
	}
	p := page{out: stdout, verbose: opt.verbose, sum: md5.New()}
	host := opt.host
	if host == "" {
		host = checker.HTTPHost(opt.to)
	}
	res := checker.Fetch{To: opt.to, TLS: opt.tls, SNI: opt.sni(), Mark: opt.mark, Timeout: opt.timeout,
		Request: checker.HTTPRequest(opt.protocol, opt.path, host)}.Do(context.Background(), p.add)
	switch {
	case res.Reason != checker.OK:
		fmt.Fprintln(stdout, checker.HTTPMessage(opt.tls, res.Reason))
	case !p.answer.Complete():
		fmt.Fprintln(stderr, "no data received from remote webserver")
		p.showSum() // of nothing
	default:
		p.finish()
	}
	if opt.verbose {
		fmt.Fprintf(stdout, "\nGlobal response time for [%s] = %d usecs\n", opt.path, res.Took.Microseconds())
	}
	return 0
}

// page hashes an answer and shows it with -v.
type page struct {
	out     io.Writer
	verbose bool
	answer  checker.HTTPAnswer
	sum     hash.Hash
	header  []byte // until it is complete
	bodied  bool   // a piece of the body was shown
	broken  bool   // no end of the header where one must be
}

func (p *page) add(b []byte) {
	if p.broken {
		return
	}
	had := p.answer.Complete()
	if !had {
		p.header = append(p.header, b...)
	}
	body, ok := p.answer.Add(b)
	p.broken = !ok
	if !p.answer.Complete() {
		if p.verbose {
			p.line("    HTTP Header Buffer    ") // and nothing in it: the rest comes with another read, or never
		}
		return
	}
	if !had && p.verbose {
		header := p.header[:len(p.header)-int(p.answer.Received)]
		p.line("    HTTP Header Buffer    ")
		dump(p.out, header)
		p.line(" HTTP Header Ascii Buffer ")
		fmt.Fprintf(p.out, "%s\n", header)
	}
	p.sum.Write(body)
	if len(body) > 0 && p.verbose {
		if !p.bodied {
			p.line("        HTML Buffer        ")
		}
		p.bodied = true
		dump(p.out, body)
	}
}

func (p *page) finish() {
	p.showSum()
	fmt.Fprintf(p.out, "%x\n", p.sum.Sum(nil))
}

func (p *page) showSum() {
	if !p.verbose {
		return
	}
	fmt.Fprintln(p.out)
	p.line("    HTML hash resulting    ")
	dump(p.out, p.sum.Sum(nil))
	p.line(" HTML hash final resulting ")
}

func (p *page) line(title string) {
	fmt.Fprintf(p.out, "-----------------------[%s]-----------------------\n", title)
}

// dump shows bytes in rows of sixteen: decimal offset, hexadecimal, text.
func dump(w io.Writer, b []byte) {
	for at := 0; at < len(b); at += 16 {
		row := b[at:min(len(b), at+16)]
		hex, text := "", ""
		for i := range 16 {
			if i == 8 {
				hex += "- "
			}
			if i >= len(row) {
				hex, text = hex+"   ", text+" "
				continue
			}
			c := row[i]
			hex += fmt.Sprintf("%02x ", c)
			if c < ' ' || c > '~' {
				c = '.'
			}
			text += string(rune(c))
		}
		fmt.Fprintf(w, "%04d  %s  %s\n", at, hex, text)
	}
}
