package script

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// What Lookup can find wrong; the texts are the reference's.
var (
	ErrNoUser  = errors.New("does not exist")
	ErrNoGroup = errors.New("does not exist")
)

// DefaultUser is who runs scripts when the configuration names nobody and the
// user exists.
const DefaultUser = "keepalived_script"

// Own returns the credentials of this process.
func Own() Credentials {
	return Credentials{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
}

// Lookup resolves the user and group words of the configuration. An empty
// group is the user's own. ":" or ":NAME" as group also takes the user's
// supplementary groups. Users and groups may be numbers. Only /etc/passwd and
// /etc/group are read: the program has no C library to ask.
func Lookup(name, group string) (Credentials, error) {
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			//lint:ignore ST1005 the reference's text
			return Credentials{}, fmt.Errorf("Script user '%s' %w", name, ErrNoUser)
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return Credentials{}, fmt.Errorf("uid of user %s: %w", name, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return Credentials{}, fmt.Errorf("gid of user %s: %w", name, err)
	}
	c := Credentials{UID: uint32(uid), GID: uint32(gid)}
	supplementary := strings.HasPrefix(group, ":")
	if group = strings.TrimPrefix(group, ":"); group != "" {
		if c.GID, err = lookupGroup(group); err != nil {
			return Credentials{}, err
		}
	}
	if supplementary {
		c.Groups = groupsOf(u, c.GID)
	}
	return c, nil
}

func lookupGroup(name string) (uint32, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		if g, err = user.LookupGroupId(name); err != nil {
			//lint:ignore ST1005 the reference's text
			return 0, fmt.Errorf("Script group '%s' %w", name, ErrNoGroup)
		}
	}
	gid, err := strconv.ParseUint(g.Gid, 10, 32)
	return uint32(gid), err
}

// groupsOf lists gid and every group that names the user as a member.
func groupsOf(u *user.User, gid uint32) []uint32 {
	groups := []uint32{gid}
	ids, err := u.GroupIds()
	if err != nil {
		return groups
	}
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil && uint32(n) != gid {
			groups = append(groups, uint32(n))
		}
	}
	return groups
}

// member reports whether the credentials include the group.
func (c Credentials) member(gid uint32) bool {
	if c.GID == gid {
		return true
	}
	for _, g := range c.Groups {
		if g == gid {
			return true
		}
	}
	return false
}
