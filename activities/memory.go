package activities

import (
	"os"
	"strconv"
	"strings"
)

// peakMemory is the largest resident set of this process so far, in bytes; 0
// where the system does not tell. It reads Linux's VmHWM: the maximum that
// getrusage reports goes over from a parent to the program that it starts.
func peakMemory() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}
