package configparse

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// nameFiles are the names that iproute2 gives to tables, protocols and so on
// (grammar.md 10). They are read when first needed.
type nameFiles struct {
	open     Opener
	etc, usr string
	read     map[string]map[string]uint32
}

// Directories of the name files unless configured.
const (
	defaultIPRouteEtc = "/etc/iproute2"
	defaultIPRouteUsr = "/usr/share/iproute2"
)

// builtIn names need no file.
var builtIn = map[string]map[string]uint32{
	"rt_tables": {"default": 253, "main": 254, "local": 255},
	"rt_scopes": {"global": 0, "nowhere": 255, "host": 254, "link": 253, "site": 200},
	"rt_protos": {"redirect": 1, "kernel": 2, "boot": 3, "static": 4, "keepalived": 18},
	"rt_realms": {"cosmos": 0},
	"group":     {"default": 0},
}

func (p *parser) names() *nameFiles {
	if p.nameFiles == nil {
		p.nameFiles = &nameFiles{open: p.lex.open, read: map[string]map[string]uint32{},
			etc: p.cfg.Global.IPRouteEtcDir, usr: p.cfg.Global.IPRouteUsrDir}
		if p.nameFiles.etc == "" {
			p.nameFiles.etc = defaultIPRouteEtc
		}
		if p.nameFiles.usr == "" {
			p.nameFiles.usr = defaultIPRouteUsr
		}
	}
	return p.nameFiles
}

// find gives the number of a name, or of a number up to hi.
func (n *nameFiles) find(file, name string, hi uint64) (uint32, bool) {
	if number, ok := n.table(file)[name]; ok && uint64(number) <= hi {
		return number, true
	}
	number, ok := cNumber(name)
	if !ok || number > hi {
		return 0, false
	}
	return uint32(number), true
}

func (n *nameFiles) table(file string) map[string]uint32 {
	if t, ok := n.read[file]; ok {
		return t
	}
	t := map[string]uint32{}
	for name, number := range builtIn[file] {
		t[name] = number
	}
	n.read[file] = t
	// What stands in etc counts more than what stands in usr.
	for _, dir := range []string{n.usr, n.etc} {
		n.readInto(t, path.Join(dir, file))
		parts := path.Join(dir, file+".d")
		names, _ := n.open.List(parts)
		slices.Sort(names)
		for _, name := range names {
			if strings.HasSuffix(name, ".conf") && name[0] != '.' {
				n.readInto(t, path.Join(parts, name))
			}
		}
	}
	return t
}

// readInto reads lines of a number and a name. A file that is not there or not
// a regular file has none.
func (n *nameFiles) readInto(t map[string]uint32, name string) {
	info, err := n.open.Stat(name)
	if err != nil || !info.Mode.IsRegular() {
		return
	}
	data, err := n.open.Read(name)
	if err != nil {
		return
	}
	for line := range strings.Lines(data) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		if number, err := strconv.ParseUint(f[0], 0, 32); err == nil {
			t[f[1]] = uint32(number)
		}
	}
}
