// Package configparse reads keepalived.conf: the whole grammar of keepalived
// 2.4.3, with its messages, into plain values. It knows no kernel and no clock;
// what it must know of the system it asks through Env and Opener, so tests run
// from maps. It is used by the parent, by every child, and by keepalived -t.
//
//	cfg, problems := configparse.Load(configparse.System{}, "/etc/keepalived/keepalived.conf", env)
//
// # How a file becomes a Config
//
//	files --lexer--> statements --pass: parent------> Config.Global
//	         |                  (global_defs, root keywords)
//	         `-- recording --lexer--> statements --pass: checker--> Config.Checker
//	                                             --pass: vrrp-----> Config.VRRP
//	                                             --pass: bfd------> Config.BFD
//
// The original parses once per process, each time with other root keywords
// active. So do we, over one reading of the files: a block is looked into by the
// pass that owns it and skipped by the others, and a mistake outside of blocks
// is found by each pass, as every child prints it. Fold leaves one of each.
//
//   - source.go: Opener (the file system), Recorder and Archive (what the parent
//     hands to its children);
//   - token.go, lexer.go: lines, comments, quotes, braces, words;
//   - expand.go, repeat.go, include.go: definitions, ~SEQ and ~LST, include;
//   - tree.go: passes, blocks, value blocks; words.go: numbers, times, booleans;
//   - problem.go: messages, classes, exit status of -t;
//   - config.go: Config and Global; the other values live in their domain's package;
//   - global.go vrrp.go track.go address.go route.go rule.go lvs.go checkers.go bfd.go:
//     the keywords; complete.go: what is checked and inherited after the reading.
//
// # How to write a block
//
// A block is a table: one row a keyword. A row's set gets the value that the
// block fills and the words of the line; word 0 is the keyword.
//
//		var instanceBlock = block[instance]{
//			"priority": {takes: "INT 1..255", help: "election priority", acts: "vrrp",
//				set: func(p *parser, in *instance, w words) {
//					n, ok := p.unsigned(w, 1, 1, 255, strict)
//					if !ok {
//						p.errorf("(%s) Priority not valid! must be between 1 & 255. Using default 100", in.Name)
//						return
//					}
//					in.Priority = uint8(n)
//				}},
//			"authentication": {takes: "block", help: "...", acts: "vrrp", sub: authBlock, opens: true,
//				set: func(p *parser, in *instance, w words) { readBlock(p, authBlock, in) }},
//			"virtual_ipaddress": {takes: "value-block of address-line", opens: true, sub: addressWords,
//				set: func(p *parser, in *instance, w words) {
//					p.readValues(w, 1, func(line words) { ... line.list[0] is the first word ... })
//				}},
//		}
//
//	  - p.word(w, 1) is word 1; if it is missing, the run ends as the original's does
//	    (exit 2): the rest of the row runs on an empty word and nothing of it is
//	    reported. Use w.has(1), p.opt(w, 1) or w.len() where the original does not insist.
//	  - p.unsigned, p.signed, p.decimal, p.timer, p.boolean, p.address read a word and
//	    report the general message (number '300' outside range [1, 255]); the row adds
//	    the keyword's own. strict and lenient are the classes S and L of keywords.tsv.
//	  - p.errorf is a message of class GENERAL_ERROR with the line of the last statement
//	    and the column of the word last read; p.classf another class; p.logf what the
//	    original only logs (-t does not show it); p.checkf one without a line, for
//	    checks after parsing.
//	  - readBlock reads { ... } with a table; p.readValues reads data lines; p.skipBlock
//	    passes over the block of a keyword that is refused. A keyword that opens a block
//	    must do one of the three.
//	  - root keywords: add a row to rootBlock (root.go) with the passes that take it
//	    (in) and opens; what several passes read looks at p.pass.
//	  - checks after the reading: afterPass (root.go) by pass.
//	  - state needed only while reading goes into the scratch struct (load.go) or into
//	    a private type that embeds the public config struct.
//	  - acts names the package that acts on the keyword; empty means "no effect yet",
//	    which is told once by name.
package configparse
