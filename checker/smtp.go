package checker

import (
	"bytes"
	"strconv"
)

// smtpLineLimit is the longest reply line that is understood.
const smtpLineLimit = 512

// smtpDialog is SMTP_CHECK: greeting 220, HELO 250, QUIT and any answer.
type smtpDialog struct {
	hello []byte
	stage smtpStage
	line  []byte
}

type smtpStage uint8

const (
	smtpGreeting smtpStage = iota
	smtpHello
	smtpQuit
)

func newSMTPDialog(name string) *smtpDialog {
	return &smtpDialog{hello: []byte("HELO " + name + "\r\n")}
}

func (d *smtpDialog) opened(*Result) ([]byte, bool) {
	d.stage, d.line = smtpGreeting, d.line[:0]
	return nil, false
}

func (d *smtpDialog) got(b []byte, r *Result) ([]byte, bool) {
	if len(b) == 0 {
		r.Reason = ReadFailed
		return nil, true
	}
	for len(b) > 0 {
		n := bytes.IndexByte(b, '\n') + 1
		piece := b
		if n > 0 {
			piece = b[:n]
		}
		if len(d.line)+len(piece) > smtpLineLimit {
			r.Reason = d.unexpected()
			return nil, true
		}
		d.line = append(d.line, piece...)
		b = b[len(piece):]
		if n == 0 {
			break
		}
		if send, over := d.reply(r); over || send != nil {
			// What else came with this line belongs to no question: passed over,
			// as keepalived does.
			return send, over
		}
	}
	return nil, false
}

// reply judges one complete line. keepalived judges the first line only and
// refuses "220-…" and "220" without a space; RFC 5321 section 4.2.1 has
// multi-line replies, and asks receivers to bear a bare code.
func (d *smtpDialog) reply(r *Result) (send []byte, over bool) {
	line := bytes.TrimRight(d.line, "\r\n")
	d.line = d.line[:0]
	if d.stage == smtpQuit {
		return nil, true
	}
	want := "220"
	if d.stage == smtpHello {
		want = "250"
	}
	if len(line) < 3 || string(line[:3]) != want || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
		r.Reason, r.Text = d.unexpected(), printable(line)
		return nil, true
	}
	if len(line) > 3 && line[3] == '-' {
		return nil, false // more lines follow
	}
	d.stage++
	if d.stage == smtpHello {
		return d.hello, false
	}
	return []byte("QUIT\r\n"), false
}

// printable is what a server said, fit for a log: nothing in it can move a
// terminal's cursor or end a record.
func printable(b []byte) string {
	q := strconv.QuoteToASCII(string(b))
	return q[1 : len(q)-1]
}

func (d *smtpDialog) unexpected() Reason {
	switch d.stage {
	case smtpGreeting:
		return BadGreeting
	case smtpHello:
		return BadHelo
	}
	return OK // what answers QUIT is not looked at
}

func (d *smtpDialog) silence(r *Result) { r.Reason = ReadTimeout }
