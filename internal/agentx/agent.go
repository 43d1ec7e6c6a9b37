package agentx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	notifyQueue = 256              // notifications that wait; more are lost and counted
	notifyAge   = 30 * time.Second // an older one is no news any more
	viewAge     = 500 * time.Millisecond
	pingEvery   = 15 * time.Second
	answerTime  = 5 * time.Second
	retryMin    = time.Second
	retryMax    = 15 * time.Second

	defaultSocket = "/var/agentx/master"
	defaultPort   = "705"
)

// Objects of SNMPv2-MIB that a notification names.
var trapOID = ParseOID("1.3.6.1.6.3.1.1.4.1.0")

// Region is a part of the tree that the agent answers for.
type Region struct {
	OID  OID
	Name string // for sysORTable; empty: no entry
}

// Config says what an agent does. The functions are called from its goroutine.
type Config struct {
	// Socket is where the master listens: a path, "unix:PATH", "tcp:HOST:PORT",
	// "HOST:PORT" or empty for the default.
	Socket  string
	Name    string // of the subagent
	Regions []Region

	// View returns all there is to see, in order. It may wait a little for the
	// process's loop.
	View func() View
	// Set checks a new value, and puts it in force with commit. nil: nothing
	// can be set.
	Set func(v Variable, commit bool) Error
	// Log writes a line.
	Log func(format string, args ...any)
}

// Agent is a subagent. A master that is away is tried again.
type Agent struct {
	cfg    Config
	notify chan notification
	last   chan struct{} // closed by Close
	ended  chan struct{}
	stop   context.CancelFunc
	lost   atomic.Uint64

	closing sync.Once

	// run's
	view   View
	viewAt time.Time
	test   []Variable // of a Set under way
	undo   []Variable
	serial uint32
	said   string
}

type notification struct {
	at   time.Time
	vars []Variable
}

// New begins to connect to the master.
func New(c Config) *Agent {
	ctx, cancel := context.WithCancel(context.Background())
	a := &Agent{
		cfg: c, notify: make(chan notification, notifyQueue), last: make(chan struct{}),
		ended: make(chan struct{}), stop: cancel,
	}
	go a.run(ctx)
	return a
}

// Notify sends a notification: trap names its kind, vars go with it. It never
// waits.
func (a *Agent) Notify(trap OID, vars ...Variable) {
	if a == nil {
		return
	}
	n := notification{time.Now(), append([]Variable{{trapOID, ObjectID(trap)}}, vars...)}
	select {
	case a.notify <- n:
	default:
		a.lost.Add(1)
	}
}

// Lost returns how many notifications were lost.
func (a *Agent) Lost() uint64 {
	if a == nil {
		return 0
	}
	return a.lost.Load()
}

// Close sends what waits, takes leave of the master, and returns after the
// given time at the latest.
func (a *Agent) Close(within time.Duration) {
	if a == nil {
		return
	}
	a.closing.Do(func() { close(a.last) })
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-a.ended:
	case <-timer.C:
	}
	a.stop()
}

// run keeps a connection until Close.
func (a *Agent) run(ctx context.Context) {
	defer close(a.ended)
	a.cfg.Log("Starting SNMP subagent")
	wait := retryMin
	for {
		began := time.Now()
		err := a.connection(ctx)
		if err == nil {
			return
		}
		if text := err.Error(); text != a.said { // once per reason
			a.said = text
			a.cfg.Log("AgentX: %v", err)
		}
		if time.Since(began) > retryMax {
			wait = retryMin
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-a.last:
			timer.Stop()
			return
		}
		wait = min(2*wait, retryMax)
	}
}

// connection talks to the master until the end of the connection, or until
// Close: then it returns nil.
func (a *Agent) connection(ctx context.Context) error {
	network, address := endpoint(a.cfg.Socket)
	d := net.Dialer{Timeout: answerTime}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return fmt.Errorf("connect to the master agent: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	m := &master{conn: conn, requests: make(chan packet, 1024), answers: make(chan packet, 16)}
	gone := make(chan struct{})
	defer close(gone)
	go m.read(gone)
	if err := a.introduce(m); err != nil {
		return err
	}
	a.said = ""
	a.cfg.Log("AgentX subagent connected")
	return a.serve(m)
}

// endpoint reads the socket's name.
func endpoint(s string) (network, address string) {
	kind, rest, found := strings.Cut(s, ":")
	switch {
	case s == "":
		return "unix", defaultSocket
	case strings.HasPrefix(s, "/"):
		return "unix", s
	case found && kind == "unix":
		return "unix", rest
	case found && (kind == "tcp" || kind == "tcp6"):
		s = rest
	}
	if _, _, err := net.SplitHostPort(s); err != nil {
		s = net.JoinHostPort(strings.Trim(s, "[]"), defaultPort)
	}
	return "tcp", s
}

// introduce opens a session and registers the regions.
func (a *Agent) introduce(m *master) error {
	w := newWriter(pduOpen, a.head(m))
	w.u8(defaultTimeout, 0, 0, 0)
	w.oid(nil, false)
	w.string([]byte(a.cfg.Name))
	answer, err := a.ask(m, w)
	if err != nil {
		return fmt.Errorf("open a session: %w", err)
	}
	m.session = answer.session
	for _, region := range a.cfg.Regions {
		w := newWriter(pduRegister, a.head(m))
		w.u8(0, 127, 0, 0) // timeout, priority, no range
		w.oid(region.OID, false)
		if _, err := a.ask(m, w); err != nil {
			return fmt.Errorf("register %v: %w", region.OID, err)
		}
		if region.Name == "" {
			continue
		}
		w = newWriter(pduAddCaps, a.head(m))
		w.oid(region.OID, false)
		w.string([]byte(region.Name))
		if _, err := a.ask(m, w); err != nil {
			return fmt.Errorf("add capabilities of %v: %w", region.OID, err)
		}
	}
	return nil
}

func (a *Agent) head(m *master) header {
	a.serial++
	return header{session: m.session, transaction: a.serial, packet: a.serial}
}

// ask sends a packet of ours and waits for its answer. Requests of the master
// wait meanwhile.
func (a *Agent) ask(m *master, w *writer) (header, error) {
	if err := m.write(w); err != nil {
		return header{}, err
	}
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	for {
		select {
		case p := <-m.answers:
			if p.err != nil {
				return p.header, p.err
			}
			if p.packet != a.serial {
				continue // an answer that came too late
			}
			r := reader{b: p.payload, order: p.order()}
			r.u32() // the master's uptime
			if code := r.u16(); code != 0 || r.err != nil {
				return p.header, fmt.Errorf("the master agent answered with error %d", code)
			}
			return p.header, nil
		case <-timer.C:
			return header{}, errors.New("the master agent does not answer")
		}
	}
}

// serve answers requests and sends notifications until the connection ends.
func (a *Agent) serve(m *master) error {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case p := <-m.requests:
			if p.err != nil {
				return fmt.Errorf("connection to the master agent: %w", p.err)
			}
			if p.kind == pduClose {
				return errors.New("the master agent closed the session")
			}
			if err := a.answer(m, p); err != nil {
				return err
			}
		case n := <-a.notify:
			if err := a.send(m, n); err != nil {
				return err
			}
		case <-ping.C:
			if _, err := a.ask(m, newWriter(pduPing, a.head(m))); err != nil {
				return err
			}
		case <-a.last:
			a.leave(m)
			return nil
		}
	}
}

func (a *Agent) send(m *master, n notification) error {
	if time.Since(n.at) > notifyAge {
		a.lost.Add(1)
		return nil
	}
	w := newWriter(pduNotify, a.head(m))
	for _, v := range n.vars {
		w.variable(v)
	}
	if _, err := a.ask(m, w); err != nil {
		a.lost.Add(1)
		return fmt.Errorf("send a notification: %w", err)
	}
	return nil
}

// leave sends what waits and closes the session.
func (a *Agent) leave(m *master) {
	for {
		select {
		case n := <-a.notify:
			if a.send(m, n) == nil {
				continue
			}
		default:
		}
		break
	}
	w := newWriter(pduClose, a.head(m))
	w.u8(closeShutdown, 0, 0, 0)
	_, _ = a.ask(m, w)
}

// packet is a packet of the master, or the end of the connection.
type packet struct {
	header
	payload []byte
	err     error
}

// master is the connection to the master agent.
type master struct {
	conn     net.Conn
	session  uint32
	requests chan packet
	answers  chan packet
}

// read is the goroutine that reads from the master.
func (m *master) read(gone chan struct{}) {
	for {
		h, payload, err := readPDU(m.conn)
		p := packet{h, payload, err}
		to := []chan packet{m.requests}
		if err != nil {
			to = []chan packet{m.answers, m.requests} // whoever waits must know
		} else if h.kind == pduResponse {
			to[0] = m.answers
		}
		for _, c := range to {
			select {
			case c <- p:
			case <-gone:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (m *master) write(w *writer) error {
	_ = m.conn.SetWriteDeadline(time.Now().Add(answerTime))
	_, err := m.conn.Write(w.bytes())
	return err
}
