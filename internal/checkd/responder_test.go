package checkd

import (
	"bufio"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The recorded cases call a small test server by the name rsrv; in the virtual
// machine that is this binary under another name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "rsrv" {
		if err := respond(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// respond serves until it is killed:
//
//	tcp ADDR                      accepts and closes
//	hang ADDR                     accepts and says nothing
//	lines ADDR FILE               sends the parts of FILE between "|", one after each line it gets
//	http ADDR FILE LOG            logs the request, answers with FILE
//	https ADDR FILE LOG CERT KEY  the same over TLS; logs the client's hello too
//	smtp ADDR LOG                 takes mail
//	udp ADDR REPLY LOG            REPLY: "-" none, "dns", "dnsfail", or hex
func respond(args []string) error {
	mode, addr := args[0], args[1]
	args = append(args, "", "", "", "")
	if mode == "udp" {
		return respondUDP(addr, args[2], args[3])
	}
	l, err := listen(addr)
	if err != nil {
		return err
	}
	if mode == "https" {
		if l, err = listenTLS(l, args[3], args[4], args[5]); err != nil {
			return err
		}
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			switch mode {
			case "hang":
				select {}
			case "lines":
				respondLines(c, args[2])
			case "http", "https":
				respondHTTP(c, args[2], args[3])
			case "smtp":
				respondSMTP(c, args[2])
			}
		}()
	}
}

// listen tries until an address is free that its last user, a responder that
// was killed, has not let go of yet.
func listen(addr string) (l net.Listener, err error) {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for limit := time.Now().Add(2 * time.Second); time.Now().Before(limit); <-again.C {
		if l, err = net.Listen("tcp", addr); !errors.Is(err, syscall.EADDRINUSE) {
			return l, err
		}
	}
	return nil, err
}

func listenTLS(l net.Listener, logFile, cert, key string) (net.Listener, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(l, &tls.Config{
		Certificates: []tls.Certificate{pair},
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			appendTo(logFile, "SNI=%q versions=%x alpn=%v\n", h.ServerName, h.SupportedVersions, h.SupportedProtos)
			return nil, nil
		},
	}), nil
}

func appendTo(file, format string, a ...any) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		fmt.Fprintf(f, format, a...)
		f.Close()
	}
}

func respondUDP(addr, reply, logFile string) error {
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		return err
	}
	b := make([]byte, 4096)
	for {
		n, from, err := pc.ReadFrom(b)
		if err != nil {
			return err
		}
		appendTo(logFile, "%x\n", b[:n])
		answer := append([]byte{}, b[:n]...)
		switch reply {
		case "-":
			continue
		case "dns":
			answer[2], answer[3] = 0x81, 0x80
		case "dnsfail": // NXDOMAIN
			answer[2], answer[3] = 0x81, 0x83
		default:
			answer, _ = hex.DecodeString(reply)
		}
		pc.WriteTo(answer, from)
	}
}

func respondLines(c net.Conn, file string) {
	c.SetDeadline(time.Now().Add(time.Minute))
	b, _ := os.ReadFile(file)
	r := bufio.NewReader(c)
	for _, part := range strings.Split(string(b), "|") {
		io.WriteString(c, part)
		if _, err := r.ReadString('\n'); err != nil {
			return
		}
	}
}

func respondHTTP(c net.Conn, file, logFile string) {
	c.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(c)
	var request strings.Builder
	for {
		s, err := r.ReadString('\n')
		request.WriteString(s)
		if err != nil || s == "\r\n" {
			break
		}
	}
	appendTo(logFile, "%q\n", request.String())
	answer, _ := os.ReadFile(file)
	c.Write(answer)
}

func respondSMTP(c net.Conn, logFile string) {
	c.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(c, "220 test.example ESMTP\r\n")
	r := bufio.NewReader(c)
	for data := false; ; {
		s, err := r.ReadString('\n')
		if err != nil {
			appendTo(logFile, "(%v)\n", err)
			return
		}
		appendTo(logFile, "%q\n", s)
		switch {
		case data && s == ".\r\n":
			data = false
			io.WriteString(c, "250 queued\r\n")
		case data:
		case strings.HasPrefix(s, "QUIT"):
			io.WriteString(c, "221 bye\r\n")
			return
		case strings.HasPrefix(s, "DATA"):
			data = true
			io.WriteString(c, "354 go\r\n")
		default:
			io.WriteString(c, "250 ok\r\n")
		}
	}
}
