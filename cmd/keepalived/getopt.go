package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// normalise rewrites a command line by the rules of GNU getopt_long, which
// operators' unit files and scripts rely on, into the form that pflag reads:
// every option as --name=value. Abbreviated long names, bundled short options
// and optional arguments that must be attached (-tFILE, --config-test=FILE)
// become explicit. Words that are no options are returned apart.
//
// Every fault is reported, not only the first (process.md 2.2).
func normalise(fs *pflag.FlagSet, args []string) (opts, words []string, faults []error) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			return opts, append(words, args...), faults
		case strings.HasPrefix(arg, "--"):
			var opt string
			var err error
			if opt, args, err = long(fs, arg, args); err != nil {
				faults = append(faults, err)
				continue
			}
			opts = append(opts, opt)
		case len(arg) > 1 && arg[0] == '-':
			var some []string
			var errs []error
			some, args, errs = short(fs, arg[1:], args)
			opts = append(opts, some...)
			faults = append(faults, errs...)
		default:
			words = append(words, arg)
		}
	}
	return opts, words, faults
}

// takesValue tells whether an option wants an argument, and whether that
// argument may be left out.
func takesValue(f *pflag.Flag) (wants, optional bool) {
	if f.Value.Type() == "switch" {
		return false, false
	}
	return true, f.NoOptDefVal != ""
}

func long(fs *pflag.FlagSet, arg string, rest []string) (string, []string, error) {
	name, value, attached := strings.Cut(arg[2:], "=")
	f := lookupLong(fs, name)
	if f == nil {
		//lint:ignore ST1005 the text of the C library that operators know
		return "", rest, fmt.Errorf("Unknown option %s", arg)
	}
	wants, optional := takesValue(f)
	switch {
	case !wants && attached:
		//lint:ignore ST1005 the text of the C library that operators know
		return "", rest, fmt.Errorf("Unknown option %s", arg)
	case !wants:
		return "--" + f.Name, rest, nil
	case attached && value != "":
		return "--" + f.Name + "=" + value, rest, nil
	case optional:
		return "--" + f.Name, rest, nil
	case attached || len(rest) == 0:
		// The original crashes on a required argument that is not there.
		//lint:ignore ST1005 the text of the C library that operators know
		return "", rest, fmt.Errorf("Missing parameter for option --%s", f.Name)
	}
	return "--" + f.Name + "=" + rest[0], rest[1:], nil
}

// lookupLong finds an option by its full name or by an unambiguous beginning.
func lookupLong(fs *pflag.FlagSet, name string) *pflag.Flag {
	if f := fs.Lookup(name); f != nil {
		return f
	}
	var found *pflag.Flag
	matches := 0
	fs.VisitAll(func(f *pflag.Flag) {
		if name != "" && strings.HasPrefix(f.Name, name) {
			found = f
			matches++
		}
	})
	if matches != 1 {
		return nil
	}
	return found
}

func short(fs *pflag.FlagSet, letters string, rest []string) (opts, left []string, faults []error) {
	for letters != "" {
		letter := letters[:1]
		letters = letters[1:]
		f := fs.ShorthandLookup(letter)
		if f == nil {
			//lint:ignore ST1005 the text of the C library that operators know
			faults = append(faults, fmt.Errorf("Unknown option -%s", letter))
			continue
		}
		wants, optional := takesValue(f)
		switch {
		case !wants:
			opts = append(opts, "--"+f.Name)
			continue
		case letters != "":
			opts = append(opts, "--"+f.Name+"="+letters)
		case optional:
			opts = append(opts, "--"+f.Name)
		case len(rest) == 0:
			//lint:ignore ST1005 the text of the C library that operators know
			faults = append(faults, fmt.Errorf("Missing parameter for option -%s", letter))
		default:
			opts = append(opts, "--"+f.Name+"="+rest[0])
			rest = rest[1:]
		}
		break
	}
	return opts, rest, faults
}
