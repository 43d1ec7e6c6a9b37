package vrrpd

import (
	"sync"
	"time"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/notify"
	"github.com/keepalived-go/keepalived/internal/script"
	"github.com/keepalived-go/keepalived/vrrp"
)

// teller tells the outside what happened, in the original's order: state
// script, generic script, FIFO lines, D-Bus, SNMP, mail. It belongs to the loop.
type teller struct {
	scripts notify.Scripts
	global  *notify.FIFO // notify_fifo
	own     *notify.FIFO // vrrp_notify_fifo
	mail    *notify.Mail
	bus     *notify.DBus

	// mailed is the last state that was mailed for each subject: the same one
	// is never mailed twice in a row.
	mailed map[string]vrrp.State
}

func (t *teller) set(d *daemon) {
	var err error
	g := &d.conf.Global
	if t.global, err = t.global.Reload(d.fifo("", &g.FIFO)); err != nil {
		log.Info("%v", err)
	}
	if t.own, err = t.own.Reload(d.fifo("vrrp", &g.VRRPFIFO)); err != nil {
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
	if cmd, ok := d.cmds.command(f.Script); ok {
		c.Script = cmd
	}
	return c
}

// entered tells of a new state.
func (t *teller) entered(d *daemon, _ time.Time, e vrrp.Entered) {
	line := notify.VRRPLine(e.Group, e.Name, e.State.String(), int(e.Priority))
	if !e.FIFOOnly && e.Notify != nil {
		t.run(d, e)
	}
	t.write(line)
	if !e.FIFOOnly && !e.Group {
		t.bus.StateChanged(e.Name, busState(e.State))
	}
	if !e.FIFOOnly {
		d.snmp.entered(d, e)
	}
	if e.FIFOOnly || e.Notify == nil || !e.Notify.SMTPAlert || e.State == vrrp.Fault && d.conf.Global.NoEmailFaults {
		return
	}
	key := e.Name
	if e.Group {
		key = "group " + key
	}
	if t.mailed == nil {
		t.mailed = map[string]vrrp.State{}
	}
	if last, ok := t.mailed[key]; !ok || last != e.State {
		t.mailed[key] = e.State
		t.mail.SendVRRP(e.Group, e.Name, e.State.String())
	}
}

func (t *teller) run(d *daemon, e vrrp.Entered) {
	run := t.scripts.Run
	if e.State == vrrp.Stopped {
		run = t.scripts.RunLast
	}
	n := e.Notify
	var c *vrrp.Command
	switch e.State {
	case vrrp.Master:
		c = n.Master
	case vrrp.Backup:
		c = n.Backup
	case vrrp.Fault:
		c = n.Fault
	case vrrp.Stopped:
		c = n.Stop
	case vrrp.Deleted:
		c = n.Deleted
	}
	if cmd, ok := d.cmds.command(c); ok {
		run(cmd)
	}
	if cmd, ok := d.cmds.command(n.Any); ok {
		run(cmd, notify.VRRPArgs(e.Group, e.Name, e.State.String(), int(e.Priority))...)
	}
}

func (t *teller) write(line string) {
	t.global.Write(line)
	t.own.Write(line)
}

func (t *teller) priorityChanged(e vrrp.PriorityChanged) {
	word := "BACKUP_PRIORITY"
	if e.State == vrrp.Master {
		word = "MASTER_PRIORITY"
	}
	t.write(notify.VRRPLine(e.Group, e.Name, word, int(e.Priority)))
}

func (t *teller) rxLowerPrio(d *daemon, e vrrp.RxLowerPrio) {
	if e.Notify != nil {
		if cmd, ok := d.cmds.command(e.Notify.RxLowerPrio); ok {
			t.scripts.Run(cmd)
		}
	}
	t.write(notify.VRRPLine(e.Group, e.Name, "MASTER_RX_LOWER_PRI", int(e.Priority)))
}

// close ends everything at the end of the process, side by side, so that it
// takes as long as the slowest and not as all. Scripts of the stop get up to
// wait.
func (t *teller) close(wait time.Duration) {
	var all sync.WaitGroup
	all.Go(func() { t.scripts.Wait(wait) })
	all.Go(t.global.Close)
	all.Go(t.own.Close)
	all.Go(func() { t.mail.Close(wait) })
	all.Go(func() { t.bus.Close(wait) })
	all.Wait()
}
