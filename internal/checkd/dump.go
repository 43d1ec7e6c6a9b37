package checkd

import (
	"errors"
	"time"

	"github.com/keepalived-go/keepalived/internal/control"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/report"
)

// patience is how long an operator waits for the loop.
const patience = 2 * time.Second

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
	if q.Get != "status" {
		return nil, errors.New("the only question is status")
	}
	got := make(chan report.CheckerStatus, 1)
	if !d.loop.TryPost(func(now time.Time) { got <- d.status(now) }) {
		return nil, errors.New("the checker process is busy")
	}
	select {
	case s := <-got:
		return s, nil
	case <-time.After(patience):
		return nil, errors.New("the checker process is busy")
	}
}

// status is what an operator may know. The snapshot shares nothing that the
// loop changes later.
func (d *daemon) status(now time.Time) report.CheckerStatus {
	s := report.CheckerStatusOf(d.pool.Snapshot(), now, nil)
	switch {
	case d.table.k != nil:
	case d.table.missing:
		s.IPVS = "not available in this kernel; next try at " + d.table.retry.Format(time.TimeOnly)
	default:
		s.IPVS = "not used"
	}
	return s
}
