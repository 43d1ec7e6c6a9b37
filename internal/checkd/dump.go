package checkd

import (
	"errors"
	"os"
	"time"

	"github.com/keepalived-go/keepalived/checker"
	"github.com/keepalived-go/keepalived/internal/control"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/report"
)

// patience is how long an operator waits for the loop.
const patience = 2 * time.Second

// dumpData writes what the process knows (SIGUSR1). The text is made by the
// loop, the file is written by a goroutine: a slow disk delays nothing.
func (d *daemon) dumpData() {
	log.Info("Printing checker data for process(%d) on signal", os.Getpid())
	d.saveData(report.DataFile(&d.conf.Global, "_check"))
}

// data is what the process knows, as text.
func (d *daemon) data() string {
	c := report.Checker{Config: d.conf, Services: d.pool.Snapshot(), Files: map[string]int64{}}
	for _, f := range d.conf.CheckerFiles {
		c.Files[f.Name] = int64(d.files.Value(f.Name))
	}
	return c.Text()
}

// saveData writes the data to a file, if it has a name.
func (d *daemon) saveData(file string) {
	if file == "" {
		return
	}
	text := d.data()
	go func() {
		if err := report.WriteFile(file, text); err != nil {
			log.Info("Can't open dump file %s (%v)", file, err)
		}
	}()
}

// answerOperator serves the questions that come through the parent, on a
// goroutine of its own.
func (d *daemon) answerOperator() {
	if d.child.Control == nil {
		return
	}
	if err := control.Serve(d.child.Control, d.answer); err != nil {
		log.Info("status is not available: %v", err)
	}
}

func (d *daemon) answer(q control.Request) (any, error) {
	switch q.Get {
	case control.Status:
	case control.ReadAhead:
		d.readAhead(q.Seed)
		return nil, nil
	default:
		return nil, errors.New("the only question is status")
	}
	type state struct {
		report.CheckerStatus
		services []checker.ServiceState
		netns    string
		there    bool
	}
	got := make(chan state, 1)
	if !d.loop.TryPost(func(now time.Time) {
		services := d.pool.Snapshot()
		got <- state{d.status(services, now), services, d.ipvsNamespace(), d.table.k != nil}
	}) {
		return nil, errors.New("the checker process is busy")
	}
	select {
	case s := <-got:
		if s.there {
			s.AddCounters(s.services, d.meter.read(s.netns, serviceKeys(s.services), time.Second))
		}
		return s.CheckerStatus, nil
	case <-time.After(patience):
		return nil, errors.New("the checker process is busy")
	}
}

// status is what an operator may know. It shares nothing that the loop changes
// later.
func (d *daemon) status(services []checker.ServiceState, now time.Time) report.CheckerStatus {
	s := report.CheckerStatusOf(services, now, d.sched.Due)
	switch {
	case d.table.k != nil:
	case d.table.missing:
		s.IPVS = "not available in this kernel; next try at " + d.table.retry.Format(time.TimeOnly)
	default:
		s.IPVS = "not used"
	}
	s.Warnings = append(d.table.warnings(now), d.cmds.disabled...)
	return s
}
