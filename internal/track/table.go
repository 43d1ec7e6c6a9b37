package track

import "slices"

// table knows which processes are tracked ones. It does nothing by itself: it
// is told of forks, executions, new names and ends, looks at /proc, and says
// whose count changed.
type table struct {
	proc  procDir
	specs []Process
	pids  map[int][]int // indices of specs that the process counts for
	count []int         // per spec
}

// change is a new count of a tracked process.
type change struct {
	spec   int
	count  int
	byFork bool // it grew because a tracked process forked
	byEnd  bool // it shrank because a process ended
}

func newTable(proc procDir, specs []Process) *table {
	return &table{proc: proc, specs: specs, pids: map[int][]int{}, count: make([]int, len(specs))}
}

// scan counts anew from /proc, and returns every count that differs.
func (t *table) scan() []change {
	before := t.count
	t.pids, t.count = map[int][]int{}, make([]int, len(t.specs))
	if len(t.specs) > 0 {
		for _, pid := range t.proc.pids() {
			if of := t.look(pid); len(of) > 0 && !t.proc.zombie(pid) {
				t.pids[pid] = of
				for _, i := range of {
					t.count[i]++
				}
			}
		}
	}
	var out []change
	for i, n := range t.count {
		if n != before[i] {
			out = append(out, change{spec: i, count: n})
		}
	}
	return out
}

// look returns the indices of the specs that match a process.
func (t *table) look(pid int) []int {
	comm := t.proc.comm(pid)
	if comm == "" {
		return nil
	}
	var argv []string
	var of []int
	for i, spec := range t.specs {
		if argv == nil && spec.needsCommandLine() {
			if argv = t.proc.argv(pid); argv == nil {
				argv = []string{}
			}
		}
		if spec.matches(comm, argv) {
			of = append(of, i)
		}
	}
	return of
}

// forked takes in a new process: a copy of its parent.
func (t *table) forked(parent, child int) []change {
	of := t.pids[parent]
	if len(of) == 0 || t.pids[child] != nil {
		return nil
	}
	t.pids[child] = slices.Clone(of)
	var out []change
	for _, i := range of {
		t.count[i]++
		out = append(out, change{spec: i, count: t.count[i], byFork: true})
	}
	return out
}

// renamed takes in that a process executed a program or gave itself a name.
func (t *table) renamed(pid int) []change {
	was, is := t.pids[pid], t.look(pid)
	if len(is) == 0 {
		delete(t.pids, pid)
	} else {
		t.pids[pid] = is
	}
	var out []change
	for i := range t.specs {
		switch before, after := slices.Contains(was, i), slices.Contains(is, i); {
		case after && !before:
			t.count[i]++
			out = append(out, change{spec: i, count: t.count[i]})
		case before && !after:
			t.count[i]--
			out = append(out, change{spec: i, count: t.count[i], byEnd: true})
		}
	}
	return out
}

// ended takes in the end of a process.
func (t *table) ended(pid int) []change {
	var out []change
	for _, i := range t.pids[pid] {
		t.count[i]--
		out = append(out, change{spec: i, count: t.count[i], byEnd: true})
	}
	delete(t.pids, pid)
	return out
}
