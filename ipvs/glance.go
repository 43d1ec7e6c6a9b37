package ipvs

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Same tells with little work whether the table still is what Dump has read:
// the same services, of the same number of servers. Of the services whose place
// leaves the rest part when it is divided by parts it looks at every server, so
// that as many calls in turn see all of them. False: something differs, or
// could not be read; a Dump will tell.
//
// It allocates nothing and decodes next to nothing where the socket options
// tell everything. A persistence engine that somebody else has given to a
// service in a table that had none, and new services of IPv6, only Dump sees.
func (k *Kernel) Same(dump []Service, part, parts int) bool {
	if slices.ContainsFunc(dump, func(s Service) bool { return s.Family != IPv4 || s.Persistence.Engine != "" }) {
		list, err := k.services()
		if err != nil || !slices.EqualFunc(list, dump, func(a, b Service) bool { return a.Key == b.Key && a.Options == b.Options }) {
			return false
		}
	}
	entries, err := k.serviceEntries()
	if err != nil {
		return false
	}
	k.entries = append(k.entries[:0], entries...) // servers are read into the same place
	entries = k.entries
	for i := range dump {
		s := &dump[i]
		if s.Family == IPv4 {
			if len(entries) == 0 || !entryIs(entries, s) {
				return false
			}
			entries = entries[serviceEntryBytes:]
		}
		if i%parts == part && !k.sameServers(s) {
			return false
		}
	}
	return len(entries) == 0
}

// entryIs tells whether e begins with the struct ip_vs_service_entry of s, as far
// as that tells: it lacks the persistence engine.
func entryIs(e []byte, s *Service) bool {
	name, _, _ := bytes.Cut(e[16:32], []byte{0})
	if entryKey(e) != s.Key || entryCount(e) != len(s.Servers) || string(name) != s.Scheduler {
		return false
	}
	flags := Flags(u32(e[32:]))
	o := Options{Scheduler: s.Scheduler, Flags: flags}
	if flags&flagPersistent != 0 {
		o.Persistence = Persistence{Timeout: u32(e[36:]), Granularity: binary.BigEndian.Uint32(e[40:]), Engine: s.Persistence.Engine}
	}
	return o.normal() == s.Options
}

// sameServers tells whether a service has the servers of s.
func (k *Kernel) sameServers(s *Service) bool {
	if s.Family == IPv4 {
		same, err := k.sameEntries(s)
		if err == nil {
			return same
		}
	}
	list, err := k.servers(s.Key)
	slices.Reverse(list)
	return err == nil && slices.Equal(list, s.Servers)
}

// sameEntries is sameServers by socket option; errIncomplete where that does not
// tell everything.
func (k *Kernel) sameEntries(s *Service) (bool, error) {
	b, err := k.destEntries(s.Key, len(s.Servers))
	if err != nil {
		return false, err
	}
	last := len(s.Servers) - 1
	for i := range s.Servers {
		have, whole := entryServer(b[i*destEntryBytes:])
		if !whole {
			return false, errIncomplete
		}
		if have != s.Servers[last-i] {
			return false, nil
		}
	}
	return true, nil
}
