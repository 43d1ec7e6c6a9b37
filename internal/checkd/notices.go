package checkd

import (
	"strings"
	"sync"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/notify"
	"github.com/keepalived-go/keepalived/internal/script"
)

// teller tells the outside what happened: script, FIFO lines, mail. It belongs
// to the loop.
type teller struct {
	scripts notify.Scripts
	global  *notify.FIFO // notify_fifo
	own     *notify.FIFO // lvs_notify_fifo
	mail    *notify.Mail
}

// set opens what the configuration names, and closes what it no longer does.
func (t *teller) set(d *daemon) {
	var err error
	g := &d.conf.Global
	if t.global, err = t.global.Reload(d.fifo("", &g.FIFO)); err != nil {
		log.Info("%v", err)
	}
	if t.own, err = t.own.Reload(d.fifo("lvs", &g.LVSFIFO)); err != nil {
		log.Info("%v", err)
	}
	t.mail = t.mail.Reload(notify.MailConfig{
		Server: g.SMTPServer, Port: g.SMTPPort, HELO: g.SMTPHelo, ConnectTimeout: g.SMTPTimeout,
		From: g.EmailFrom, To: g.Emails, RouterID: g.RouterID,
	})
}

func (d *daemon) fifo(kind string, f *configparse.FIFO) *notify.FIFOConfig {
	if f.Path == "" {
		return nil
	}
	c := &notify.FIFOConfig{Kind: kind, Path: f.Path, Cred: script.Own()}
	if f.User != "" {
		c.Cred = script.Credentials{UID: f.UID, GID: f.GID}
	}
	c.Script = d.cmds.fifo[f]
	return c
}

func (t *teller) server(d *daemon, n checker.ServerNotice) {
	t.event(d, n.Script(), n.FIFO())
}

func (t *teller) quorum(d *daemon, n checker.QuorumNotice) {
	t.event(d, n.Script(), n.FIFO())
}

// event runs the script and writes the line. The scripts of a stop are waited
// for a little.
func (t *teller) event(d *daemon, s *checker.Script, line string) {
	if cmd := d.cmds.command(s); cmd != nil {
		if d.stopping {
			t.scripts.RunLast(cmd)
		} else {
			t.scripts.Run(cmd)
		}
	}
	if line = strings.TrimSuffix(line, "\n"); line != "" {
		t.global.Write(line)
		t.own.Write(line)
	}
}

// send mails. The sender puts the router id before each subject itself.
func (t *teller) send(d *daemon, m checker.Mail) {
	subject := strings.TrimPrefix(m.Subject, "["+d.conf.Global.RouterID+"] ")
	t.mail.Send(notify.Letter{Subject: subject, Body: m.Body})
}

// close ends everything at the end of the process, side by side. Scripts and
// mails of the stop get up to wait.
func (t *teller) close(wait time.Duration) {
	var all sync.WaitGroup
	all.Go(func() { t.scripts.Wait(wait) })
	all.Go(t.global.Close)
	all.Go(t.own.Close)
	all.Go(func() { t.mail.Close(wait) })
	all.Wait()
}
