package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"padron/deploy/dev/engine"
	"padron/deploy/dev/stack"
	"padron/deploy/dev/temporal"
)

// clockTick is Linux's USER_HZ, in which /proc counts processor time: 100 a
// second on every architecture that Go runs on (man 7 time,
// sysconf(_SC_CLK_TCK)).
const clockTick = time.Second / 100

// processTimes is the part of a line of /proc/PID/stat that says who used the
// processor.
type processTimes struct {
	pid, parent int
	used        time.Duration // by the process itself and by children that it has waited for
}

// parseStat reads a line of /proc/PID/stat (man 5 proc_pid_stat). The second
// field, the program's name in parentheses, may hold blanks and parentheses
// itself.
func parseStat(line string) (p processTimes, err error) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return p, fmt.Errorf("no program name in %q", line)
	}
	if p.pid, err = strconv.Atoi(strings.TrimSpace(line[:open])); err != nil {
		return p, fmt.Errorf("no process id in %q", line)
	}
	fields := strings.Fields(line[end+1:]) // from the third field on
	if len(fields) < 15 {
		return p, fmt.Errorf("too few fields in %q", line)
	}
	if p.parent, err = strconv.Atoi(fields[1]); err != nil {
		return p, fmt.Errorf("no parent in %q", line)
	}
	for _, f := range fields[11:15] { // utime, stime, cutime, cstime
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return p, fmt.Errorf("no times in %q", line)
		}
		p.used += time.Duration(ticks) * clockTick
	}
	return p, nil
}

// treeTime is the processor time of a process and of all its descendants. Time
// of descendants that have ended is in what their parent has waited for, so
// nothing is lost or counted twice when a server's connections come and go.
func treeTime(all []processTimes, root int) time.Duration {
	var sum time.Duration
	for _, p := range all {
		if p.pid == root {
			sum += p.used
		}
		if p.parent == root && p.pid != root {
			sum += treeTime(all, p.pid)
		}
	}
	return sum
}

// readProcesses lists all processes; none where the system has no /proc.
func readProcesses() []processTimes {
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is good
	var all []processTimes
	for _, f := range files {
		line, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		if p, err := parseStat(string(line)); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// parseBusy is the time that all processors together were busy, from /proc/stat
// (man 5 proc_stat); 0 if it is not there.
func parseBusy(stat string) time.Duration {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal guest guest_nice
	if len(fields) < 8 || fields[0] != "cpu" {
		return 0
	}
	var busy time.Duration
	for _, i := range []int{1, 2, 3, 6, 7} {
		ticks, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0
		}
		busy += time.Duration(ticks) * clockTick
	}
	return busy
}

// parsePeakMemory finds the largest resident set so far in /proc/PID/status, in
// bytes.
func parsePeakMemory(status string) (int64, error) {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read %q: %w", line, err)
			}
			return kib << 10, nil
		}
	}
	return 0, errors.New("no VmHWM in the process's status")
}

// peakMemory is the largest resident set of a process so far; 0 where the
// system does not tell.
func peakMemory(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	peak, err := parsePeakMemory(string(status))
	if err != nil {
		return 0
	}
	return peak
}

// usage is processor time so far, in seconds, by who used it.
type usage struct {
	Worker   float64 `json:"worker"`
	Postgres float64 `json:"postgres"` // or mongod
	Gateway  float64 `json:"gateway"`  // FerretDB
	Temporal float64 `json:"temporal"`
	Bench    float64 `json:"bench"`   // this process: the simulated portal, or the client of a raw limit
	Machine  float64 `json:"machine"` // all that ran on the machine
}

// known is the time of the benchmark and of what it measures.
func (u usage) known() float64 { return u.Worker + u.Postgres + u.Gateway + u.Temporal + u.Bench }

func (u usage) database() float64 { return u.Postgres + u.Gateway }

func (u usage) since(before usage) usage {
	return usage{
		Worker: u.Worker - before.Worker, Postgres: u.Postgres - before.Postgres, Gateway: u.Gateway - before.Gateway,
		Temporal: u.Temporal - before.Temporal, Bench: u.Bench - before.Bench, Machine: u.Machine - before.Machine,
	}
}

func (u usage) plus(more usage) usage {
	return usage{
		Worker: u.Worker + more.Worker, Postgres: u.Postgres + more.Postgres, Gateway: u.Gateway + more.Gateway,
		Temporal: u.Temporal + more.Temporal, Bench: u.Bench + more.Bench, Machine: u.Machine + more.Machine,
	}
}

// readUsage sums up the stack's processes. worker is the worker's process id.
func readUsage(s *stack.Stack, worker int) (u usage) {
	all := readProcesses()
	for _, p := range s.Processes() {
		used := treeTime(all, p.PID()).Seconds()
		switch {
		case p.PID() == worker:
			u.Worker = used
		case p.Name() == "PostgreSQL" || p.Name() == "mongod":
			u.Postgres = used
		case p.Name() == engine.FerretDB:
			u.Gateway = used
		case p.Name() == temporal.Process:
			u.Temporal = used
		}
	}
	// Without its children: they are the servers, and starters that have ended.
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err == nil {
		u.Bench = time.Duration(own.Utime.Nano() + own.Stime.Nano()).Seconds()
	}
	if stat, err := os.ReadFile("/proc/stat"); err == nil {
		u.Machine = parseBusy(string(stat)).Seconds()
	}
	return u
}
