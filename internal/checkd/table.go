package checkd

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalived-go/keepalived/internal/log"
	"github.com/keepalived-go/keepalived/ipvs"
)

// balancer is what the table needs of the kernel: *ipvs.Kernel, or a fake.
type balancer interface {
	Dump() ([]ipvs.Service, error)
	Do(ops []ipvs.Op, failed func(i int, f *ipvs.Fault)) error
	Close()
}

// How long the table waits before it tries again what the kernel refused, or
// the connection or module that is missing.
const (
	refusedPause = time.Minute
	missingPause = 10 * time.Second
	brokenPause  = time.Second
)

// table keeps the kernel's table as the pool wants it. It knows what it put
// there, so that a change costs operations for what differs and nothing else;
// the guard reads the kernel to find what others did.
type table struct {
	dial func() (balancer, error)
	k    balancer // nil: not there

	// have is what the kernel holds of ours, as far as we know; order is that
	// of creation.
	have  map[ipvs.Key]*ipvs.Service
	order []ipvs.Key

	// said are the refusals that were logged, so that a retry does not say
	// them again; they are forgotten when the operation succeeds.
	said map[refusal]string

	changes uint64    // counts exec, so that a dump knows it is stale
	retry   time.Time // when to plan everything again; zero: not needed
	missing bool      // its absence was logged

	// Other programs' changes that were put right, and when the last was.
	strange   int
	strangeAt time.Time
}

// refusal is an operation that the kernel did not do.
type refusal struct {
	verb    ipvs.Verb
	service ipvs.Key
	server  ipvs.Server
}

func newTable(dial func() (balancer, error)) *table {
	return &table{dial: dial, have: map[ipvs.Key]*ipvs.Service{}, said: map[refusal]string{}}
}

// open connects to the kernel. Without IPVS the process goes on checking and
// notifying, and says so once.
func (t *table) open(now time.Time) bool {
	k, err := t.dial()
	if err != nil {
		t.lost(now, err)
		return false
	}
	t.opened(k)
	return true
}

func (t *table) opened(k balancer) {
	t.k = k
	t.retry = time.Time{}
	if t.missing {
		log.Info("IPVS: initialized now, the virtual servers are set")
	}
	t.missing = false
}

func (t *table) lost(now time.Time, err error) {
	t.retry = now.Add(missingPause)
	if t.missing {
		return
	}
	t.missing = true
	log.Info("IPVS: Can't initialize ipvs: %s", ipvs.Reason(err))
	log.Info("IPVS: checking and notifying go on without it, next try in %s (%v)", missingPause, err)
}

func (t *table) close() {
	if t.k != nil {
		t.k.Close()
		t.k = nil
	}
}

// adopt learns what the kernel has of the wanted services, so that an earlier
// process's entries are changed in place and not added again.
func (t *table) adopt(now time.Time, want []ipvs.Service) {
	if t.k == nil {
		return
	}
	list, err := t.k.Dump()
	if err != nil {
		t.broken(now, err)
		return
	}
	mine := make(map[ipvs.Key]bool, len(want))
	for i := range want {
		mine[want[i].Key] = true
	}
	clear(t.have)
	t.order = t.order[:0]
	for i := range list {
		if s := &list[i]; mine[s.Key] {
			t.have[s.Key] = s
			t.order = append(t.order, s.Key)
		}
	}
}

// list is what we have in the kernel, in order of creation.
func (t *table) list() []ipvs.Service {
	all := make([]ipvs.Service, 0, len(t.order))
	for _, k := range t.order {
		all = append(all, *t.have[k])
	}
	return all
}

// set makes the whole table what is wanted. The services are the table's from
// then on.
func (t *table) set(now time.Time, want []ipvs.Service) {
	if t.k == nil {
		return
	}
	t.exec(now, ipvs.Plan(t.list(), want), func() {
		clear(t.have)
		t.order = t.order[:0]
		t.take(want)
	})
}

// setPart makes the named services what is wanted and leaves the others.
func (t *table) setPart(now time.Time, want []ipvs.Service) {
	if t.k == nil {
		return
	}
	var have []ipvs.Service
	for i := range want {
		if s := t.have[want[i].Key]; s != nil {
			have = append(have, *s)
		}
	}
	t.exec(now, ipvs.Plan(have, want), func() { t.take(want) })
}

// take notes that the kernel has these services.
func (t *table) take(list []ipvs.Service) {
	for i := range list {
		s := &list[i]
		if t.have[s.Key] == nil {
			t.order = append(t.order, s.Key)
		}
		t.have[s.Key] = s
	}
}

// flush empties the whole table, also of what others put there.
func (t *table) flush(now time.Time) {
	if t.k == nil {
		return
	}
	t.exec(now, []ipvs.Op{{Verb: ipvs.Flush}}, func() {
		clear(t.have)
		t.order = nil
	})
}

// exec does operations and keeps have true: all says that every one was done,
// which is the rule. A server that vanished is added instead of changed, as
// keepalived does.
func (t *table) exec(now time.Time, ops []ipvs.Op, all func()) {
	if len(ops) == 0 {
		all()
		return
	}
	t.changes++
	refused := map[int]*ipvs.Fault{}
	err := t.k.Do(ops, func(i int, f *ipvs.Fault) { refused[i] = f })
	if err != nil {
		t.broken(now, err)
		return
	}
	if len(refused) == 0 && len(t.said) == 0 {
		all()
		return
	}
	var again []ipvs.Op
	for i, op := range ops {
		f := refused[i]
		switch {
		case f == nil:
			t.done(op)
		case op.Verb == ipvs.EditServer && errors.Is(f, unix.ENOENT):
			op.Verb = ipvs.AddServer
			again = append(again, op)
		default:
			t.refused(now, op, f)
		}
	}
	t.exec(now, again, func() {
		for _, op := range again {
			t.done(op)
		}
	})
}

// refused logs what the kernel would not do and sees to it that it is tried
// again.
func (t *table) refused(now time.Time, op ipvs.Op, f *ipvs.Fault) {
	r := refusal{op.Verb, op.Service, op.Server}
	r.server.Weight = 0
	if text := f.Error(); t.said[r] != text {
		t.said[r] = text
		log.Info("%s", text)
	}
	pause := refusedPause
	switch {
	case f.Moot():
		t.done(op) // it is there, or gone; the next look makes it right
		pause = brokenPause
	case errors.Is(f, unix.ESRCH) && t.have[op.Service] != nil: // somebody removed it, the guard puts it back
		pause = brokenPause
	}
	if at := now.Add(pause); t.retry.IsZero() || at.Before(t.retry) {
		t.retry = at
	}
}

// broken gives up a connection after which nothing is certain.
func (t *table) broken(now time.Time, err error) {
	log.Info("IPVS: connection lost, opening it again: %v", err)
	t.close()
	t.retry = now.Add(brokenPause)
}

// done notes an operation that succeeded while others were refused.
func (t *table) done(op ipvs.Op) {
	if len(t.said) > 0 {
		r := refusal{op.Verb, op.Service, op.Server}
		r.server.Weight = 0
		delete(t.said, r)
	}
	s := t.have[op.Service]
	if s == nil {
		if op.Verb == ipvs.DeleteService || op.Verb == ipvs.DeleteServer {
			return
		}
		s = &ipvs.Service{Key: op.Service}
		t.have[op.Service] = s
		t.order = append(t.order, op.Service)
	}
	i := slices.IndexFunc(s.Servers, func(v ipvs.Server) bool { return v.Addr == op.Server.Addr })
	switch op.Verb {
	case ipvs.AddService, ipvs.EditService:
		s.Options = op.Options
	case ipvs.DeleteService:
		delete(t.have, op.Service)
		t.order = slices.DeleteFunc(t.order, func(k ipvs.Key) bool { return k == op.Service })
	case ipvs.AddServer, ipvs.EditServer:
		if i >= 0 {
			s.Servers[i] = op.Server
		} else {
			s.Servers = append(s.Servers, op.Server)
		}
	case ipvs.DeleteServer:
		if i >= 0 {
			s.Servers = slices.Delete(s.Servers, i, i+1)
		}
	}
}

// strangeLines bounds what is logged of one round of other people's changes.
const strangeLines = 20

// compare takes a dump that the guard made when changes had the given count,
// and undoes what others did to our services. It reports false for a dump that
// is older than our own last change.
func (t *table) compare(now time.Time, changes uint64, dump []ipvs.Service) bool {
	if changes != t.changes {
		return false
	}
	var mine []ipvs.Service
	for i := range dump {
		if t.have[dump[i].Key] != nil {
			mine = append(mine, dump[i])
		}
	}
	ops := ipvs.Plan(mine, t.list())
	if len(ops) == 0 || t.k == nil {
		return true
	}
	t.strange += len(ops)
	t.strangeAt = now
	said := 0
	added := map[ipvs.Key]bool{}
	for _, op := range ops {
		if op.Verb == ipvs.AddService {
			added[op.Service] = true
		} else if added[op.Service] {
			continue // goes without saying
		}
		if said++; said <= strangeLines {
			log.Info("%s", strange(op))
		}
	}
	if said > strangeLines {
		log.Info("IPVS: and %d more changes by another program, put right", said-strangeLines)
	}
	t.exec(now, ops, func() {}) // have is what was wanted
	return true
}

// strangeFor is how long other programs' changes stay a warning.
const strangeFor = 10 * time.Minute

// warnings says for the operator's status where the kernel is not as wanted.
func (t *table) warnings(now time.Time) []string {
	var list []string
	for _, text := range t.said {
		list = append(list, "the kernel refuses: "+text)
	}
	slices.Sort(list)
	if n := t.strange; n > 0 && now.Sub(t.strangeAt) < strangeFor {
		list = append(list, fmt.Sprintf("another program changed the IPVS table: %d changes put right, the last %s ago",
			n, now.Sub(t.strangeAt).Round(100*time.Millisecond)))
	}
	return list
}

// strange says what somebody else must have done that op undoes.
func strange(op ipvs.Op) string {
	what := map[ipvs.Verb]string{
		ipvs.AddService:   "virtual service %s was removed by another program, putting it back",
		ipvs.EditService:  "virtual service %s was changed by another program, setting it right",
		ipvs.AddServer:    "real server %s was removed by another program, putting it back",
		ipvs.EditServer:   "real server %s was changed by another program, setting it right",
		ipvs.DeleteServer: "real server %s was added by another program, removing it",
	}[op.Verb]
	return "IPVS: " + fmt.Sprintf(what, op.Object())
}
