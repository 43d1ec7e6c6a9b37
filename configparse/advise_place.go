package configparse

import (
	"fmt"
	"slices"
	"strings"
)

// Where messages belong that the original prints without a line: what it finds
// after the reading.

// meant are words of messages that mean a keyword without naming it.
var meant = []struct {
	text     string
	keywords []string
}{
	{"VIP", []string{"virtual_ipaddress"}},
	{"unicast keyword", []string{"unicast_peer", "unicast_src_ip", "check_unicast_src", "unicast_ttl", "unicast_fault_no_peer"}},
	{"Unicast peers", []string{"unicast_peer"}},
	{"advertisement interval", []string{"advert_int"}},
	{"VRID", []string{"virtual_router_id"}},
	{"vmac", []string{"use_vmac", "use_ipvlan"}},
	{"ipvlan", []string{"use_ipvlan"}},
	{"expired_timer_backup", []string{"timer_expired_backup"}},
	{"repeat garps", []string{"garp_lower_prio_repeat"}},
	{"repeat garp delay", []string{"garp_lower_prio_delay"}},
	{"no lower priority advert", []string{"lower_prio_no_advert"}},
	{"multicast destination", []string{"mcast_dst_ip"}},
	{"scheduler", []string{"lvs_sched", "lb_algo"}},
	{"forwarding method", []string{"lvs_method", "lb_kind"}},
	{"one packet scheduling", []string{"ops"}},
	{"not found/accessible", []string{"script"}},
	{"due to insecure", []string{"script"}},
	{"AH authentication", []string{"authentication"}},
}

// place finds the statement that a message without a line is about, or nil.
func (a *adviser) place(p Problem) *node {
	switch {
	case strings.HasPrefix(p.Text, "There are "):
		return a.c.root.unclosed()
	case strings.HasPrefix(p.Text, "SECURITY VIOLATION"):
		return a.firstScript()
	case p.Class == BadInterface:
		return a.missingInterface()
	}
	// A service that gets its protocol after the reading is named without one.
	block := a.subject(strings.ReplaceAll(p.Text, "]:none:", "]:udp:"))
	if block == nil {
		return nil
	}
	return block.within(p.Text)
}

// subject finds the block whose name a message mentions: the longest name
// counts, and of repeated names the last.
func (a *adviser) subject(text string) *node {
	var found *node
	length := 0
	for _, n := range a.c.root.below {
		name := n.word(1)
		switch n.word(0) {
		case "vrrp_instance", "vrrp_sync_group", "vrrp_script", "virtual_server_group", "track_group", "garp_group":
		case "virtual_server":
			name = a.serviceName(n)
		default:
			continue
		}
		if len(name) >= length && name != "" && mentions(text, name) {
			found, length = n, len(name)
		}
	}
	return found
}

// serviceName is how messages call the service of a virtual_server block.
func (a *adviser) serviceName(n *node) string {
	place := fmt.Sprintf("%s:%d", n.at.file.name, n.at.line)
	for i := range a.c.Config.Checker.Services {
		if s := &a.c.Config.Checker.Services[i]; s.Line == place {
			return s.String()
		}
	}
	return ""
}

// mentions reports whether a text has a word, alone or in brackets.
func mentions(text, word string) bool {
	for rest := text; ; {
		i := strings.Index(rest, word)
		if i < 0 {
			return false
		}
		before, after := byte(' '), byte(' ')
		if i > 0 {
			before = rest[i-1]
		}
		if end := i + len(word); end < len(rest) {
			after = rest[end]
		}
		if !isNameByte(before) && !isNameByte(after) && before != '.' && after != '.' {
			return true
		}
		rest = rest[i+1:]
	}
}

// within finds the statement of a block that a message speaks of: a data line
// that it quotes, else the keyword that it names, else the block itself.
func (n *node) within(text string) *node {
	text = strings.ToLower(text)
	var line, keyword choice
	for _, b := range n.below {
		keyword.consider(text, b, b.word(0))
		keyword.consider(text, b, strings.ReplaceAll(b.word(0), "_", " "))
		if b.word(0) == "real_server" {
			line.consider(text, b, b.word(1))
			continue
		}
		for _, data := range b.below {
			line.consider(text, data, data.word(0))
		}
	}
	if line.node != nil {
		return line.node
	}
	if keyword.node != nil {
		return keyword.node
	}
	for _, m := range meant {
		if strings.Contains(text, strings.ToLower(m.text)) {
			if b := n.last(m.keywords...); b != nil {
				return b
			}
		}
	}
	return n
}

// choice is the statement with the longest word that a text mentions; of equal
// ones the word that comes first, and of repeated statements the last.
type choice struct {
	node          *node
	length, where int
}

func (c *choice) consider(text string, n *node, word string) {
	word = strings.ToLower(word)
	if len(word) < 2 || len(word) < c.length || !mentions(text, word) {
		return
	}
	where := strings.Index(text, word)
	if len(word) == c.length && where > c.where {
		return
	}
	*c = choice{n, len(word), where}
}

// unclosed finds the block that was probably left open: the outermost one in
// which a block of the root stands.
func (n *node) unclosed() *node {
	var found *node
	n.each(func(b *node) {
		row, known := rootBlock[b.word(0)]
		if found == nil && known && row.opens && b.block && b.parent != n {
			found = b.parent
		}
	})
	if found != nil {
		return found
	}
	for b := n; len(b.below) > 0; { // else the last that was opened
		b = b.below[len(b.below)-1]
		if b.block && !b.closed {
			found = b
		}
	}
	return found
}

// firstScript is the first statement that names a program.
func (a *adviser) firstScript() *node {
	var found *node
	a.c.root.each(func(n *node) {
		word := n.word(0)
		isScript := slices.Contains([]string{"script", "misc_path", "startup_script", "shutdown_script", "quorum_up", "quorum_down"}, word) ||
			strings.HasPrefix(word, "notify") && word != "notify_priority_changes" && word != "notify_fifo" ||
			strings.HasSuffix(word, "_fifo_script")
		if found == nil && isScript && n.word(1) != "" {
			found = n
		}
	})
	return found
}

// missingInterface is the statement whose interface is not there.
func (a *adviser) missingInterface() *node {
	for _, p := range a.c.Problems {
		if p.Line > 0 && strings.Contains(p.Text, "doesn't exist") {
			if n := a.c.root.statementAt(p.File, p.Line, p.Column); n != nil {
				return n
			}
		}
	}
	if g := a.c.root.last("global_defs"); g != nil {
		return g.last("default_interface")
	}
	return nil
}
