package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/keepalived-go/keepalived/vrrp"
)

// Status is the VRRP process's answer to `keepalivedctl status`: every instance
// with its state and, in words, why it is in it.
type Status struct {
	Now       time.Time        `json:"now"`
	Instances []InstanceStatus `json:"instances"`
	Groups    []GroupStatus    `json:"groups,omitempty"`
	Scripts   []ScriptStatus   `json:"scripts,omitempty"`
	// Lateness says how late this process met its own deadlines.
	Lateness *Lateness `json:"lateness,omitempty"`
	Warnings []string  `json:"warnings,omitempty"`
	// Goroutines is how many the process has: a number that grows is a leak.
	Goroutines int `json:"goroutines,omitempty"`
}

// InstanceStatus is one instance.
type InstanceStatus struct {
	Name      string    `json:"name"`
	VRID      uint8     `json:"vrid"`
	Version   uint8     `json:"version"`
	Family    string    `json:"family"` // ipv4 or ipv6
	Interface string    `json:"interface,omitempty"`
	Group     string    `json:"group,omitempty"`
	State     string    `json:"state"`
	Since     time.Time `json:"since"`
	Why       string    `json:"why"`

	Priority  int            `json:"priority"` // effective
	Base      int            `json:"base_priority"`
	Sum       []Contribution `json:"sum,omitempty"` // what was added to the base
	Master    string         `json:"master,omitempty"`
	Heard     int            `json:"master_priority,omitempty"`
	LastSent  time.Time      `json:"last_advert_sent,omitzero"`
	Deadline  time.Time      `json:"deadline,omitzero"` // next advert, or takeover
	Addresses []string       `json:"addresses,omitempty"`
	Holding   bool           `json:"holding"`

	Received   uint64 `json:"adverts_received"`
	Sent       uint64 `json:"adverts_sent"`
	Became     uint64 `json:"became_master"`
	BadPackets uint64 `json:"bad_packets"`
}

// Contribution is what one followed object adds to the priority, or that it
// keeps the instance in FAULT.
type Contribution struct {
	What   string `json:"what"` // script, interface, file, process, bfd
	Name   string `json:"name"`
	Weight int    `json:"weight"` // as configured; 0: a failure is a fault
	Adds   int    `json:"adds"`
	Up     bool   `json:"up"`
	Fault  bool   `json:"fault,omitempty"`
}

// GroupStatus is one sync group.
type GroupStatus struct {
	Name    string   `json:"name"`
	State   string   `json:"state"`
	Members []string `json:"members"`
}

// ScriptDisabled is the State of a script that is not run at all.
const ScriptDisabled = "disabled"

// ScriptStatus is one track script.
type ScriptStatus struct {
	Name  string `json:"name"`
	Good  bool   `json:"good"`
	State string `json:"state"`
	Text  string `json:"text,omitempty"` // last result in words
}

// Lateness is how late deadlines were met since the start.
type Lateness struct {
	Count uint64 `json:"count"`
	Late  uint64 `json:"over_10ms"`
	Worst string `json:"worst"`

	Histogram []LateBucket `json:"histogram,omitempty"`
}

// LateBucket is one column of the histogram: deadlines that were met later than
// the bucket before says, and at most UpTo late; empty: any later.
type LateBucket struct {
	UpTo  string `json:"up_to,omitempty"`
	Count uint64 `json:"count"`
}

// StatusOf makes the status from what the process knows.
func StatusOf(v VRRP, now time.Time) Status {
	s := Status{Now: now}
	for i := range v.Snapshot.Instances {
		s.Instances = append(s.Instances, instanceStatus(&v.Snapshot.Instances[i], now))
	}
	for _, g := range v.Snapshot.Groups {
		s.Groups = append(s.Groups, GroupStatus{Name: g.Name, State: g.State.String(), Members: g.Config.Members})
	}
	for _, c := range v.Config.VRRP.Scripts {
		if !v.used(c.Name) {
			continue
		}
		st := v.Scripts[c.Name]
		state := orDefault(st.State, "idle")
		if st.Insecure {
			state = ScriptDisabled
		}
		s.Scripts = append(s.Scripts, ScriptStatus{Name: c.Name, Good: st.Good, State: state})
	}
	for i := range v.Snapshot.Instances {
		s.Warnings = append(s.Warnings, oddities(&v.Snapshot.Instances[i], now)...)
		s.Warnings = append(s.Warnings, v.drift(&v.Snapshot.Instances[i], now)...)
	}
	return s
}

func instanceStatus(in *vrrp.InstanceSnapshot, now time.Time) InstanceStatus {
	c := in.Config
	n := &in.Stats
	s := InstanceStatus{
		Name: in.Name, VRID: c.VRID, Version: c.Version, Family: choose(c.IPv6, "ipv6", "ipv4"),
		Interface: orDefault(c.Device, c.Interface), Group: in.Group,
		State: in.State.String(), Since: in.Since, Why: why(in, now),
		Priority: int(in.Priority), Base: int(c.Priority), Heard: int(in.MasterPriority),
		LastSent: in.LastSent, Deadline: in.Deadline, Holding: in.Holding,
		Received: n.Received, Sent: n.Sent, Became: n.BecameMaster,
		BadPackets: n.PacketLength + n.PacketTTL + n.InvalidType + n.ChecksumErrors + n.VersionErrors +
			n.AuthInvalidType + n.AuthTypeMismatch + n.AuthFailure + n.HMACMissing + n.HMACMalformed +
			n.HMACUnknownKey + n.HMACInvalid + n.HMACStale + n.HMACReplay,
	}
	switch in.State {
	case vrrp.Master:
		s.Master = addrOr(in.Source, "")
	case vrrp.Backup:
		s.Master = addrOr(in.MasterAddr, "")
	}
	for _, a := range c.Addresses {
		s.Addresses = append(s.Addresses, prefix(a.Prefix))
	}
	for _, a := range c.Excluded {
		s.Addresses = append(s.Addresses, prefix(a.Prefix))
	}
	for _, x := range in.Tracked {
		if x.Track.Weight == 0 && x.Up {
			continue // the ordinary case: nothing to say
		}
		s.Sum = append(s.Sum, Contribution{
			What: x.What, Name: x.Track.Name, Weight: x.Track.Weight, Adds: contribution(x), Up: x.Up,
			Fault: x.Track.Weight == 0 && !x.Up && !x.Unknown,
		})
	}
	return s
}

// why puts into words what put the instance into its state.
func why(in *vrrp.InstanceSnapshot, now time.Time) string {
	switch in.State {
	case vrrp.Master:
		return whyMaster(in)
	case vrrp.Backup:
		return whyBackup(in, now)
	case vrrp.Fault:
		return whyFault(in)
	}
	return "starting"
}

func whyMaster(in *vrrp.InstanceSnapshot) string {
	if in.Config.Priority == 255 {
		return "it owns the address (priority 255)"
	}
	switch in.MasterReason {
	case vrrp.ReasonPriority:
		return fmt.Sprintf("its priority %d is the highest heard", in.Priority)
	case vrrp.ReasonPreempted:
		return fmt.Sprintf("it took over from %s, which had the lower priority %d",
			addrOr(in.MasterAddr, "another router"), in.MasterPriority)
	}
	return fmt.Sprintf("no other router was heard for %s", in.DownInterval.Round(time.Millisecond))
}

func whyBackup(in *vrrp.InstanceSnapshot, now time.Time) string {
	if !in.MasterAddr.IsValid() {
		return fmt.Sprintf("it listens; without an advert it takes over in %s", until(in.Deadline, now))
	}
	master := addrOr(in.MasterAddr, "")
	switch {
	case in.MasterPriority > in.Priority:
		return fmt.Sprintf("%s is master with priority %d, ours is %d", master, in.MasterPriority, in.Priority)
	case in.MasterPriority == in.Priority:
		return fmt.Sprintf("%s is master with the same priority %d", master, in.Priority)
	case in.Config.NoPreempt:
		return fmt.Sprintf("%s is master with the lower priority %d, and nopreempt leaves it so", master, in.MasterPriority)
	case !in.PreemptAt.IsZero() && now.Before(in.PreemptAt):
		return fmt.Sprintf("%s is master with the lower priority %d; preempt_delay ends in %s",
			master, in.MasterPriority, until(in.PreemptAt, now))
	}
	return fmt.Sprintf("%s is master with the lower priority %d; takeover in %s", master, in.MasterPriority, until(in.Deadline, now))
}

func until(at, now time.Time) string {
	return max(at.Sub(now), 0).Round(10 * time.Millisecond).String()
}

func whyFault(in *vrrp.InstanceSnapshot) string {
	if f := in.Config.ConfigFault; f != "" {
		return f
	}
	var parts []string
	for _, x := range in.Tracked {
		if x.Track.Weight != 0 || x.Up {
			continue
		}
		parts = append(parts, x.What+" "+x.Track.Name+choose(x.Unknown, " has no result yet", " is down"))
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, ", ")
	case in.Group != "" && in.Faults == 0:
		return "another member of sync group " + in.Group + " is in fault"
	case !in.Source.IsValid():
		return "interface " + orDefault(in.Config.Device, in.Config.Interface) + " is down or has no address"
	}
	return "interface " + orDefault(in.Config.Device, in.Config.Interface) + " is down"
}
