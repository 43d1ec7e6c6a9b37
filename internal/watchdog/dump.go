package watchdog

import (
	"os"

	"github.com/keepalived-go/keepalived/configparse"
	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/internal/report"
)

// dump writes keepalived_parent.data: the global definitions as the parent
// understood them. The file is written beside the loop, which a slow disk must
// not hold up.
func (p *Parent) dump() {
	log.Info("Printing parent data for process(%d) on signal", os.Getpid())
	c := p.reading.config
	path, content := report.DataFile(&c.Global, "_parent"), report.Global(c, configparse.Parent, p.schedule.at)
	go func() {
		if err := report.WriteFile(path, content); err != nil {
			log.Info("%v", err)
		}
	}()
}
