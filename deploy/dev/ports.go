package main

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
)

// loopback is where everything of the local stack listens: nothing of it is meant for other machines.
const loopback = "127.0.0.1"

// Names of the ports a person or a program outside the stack uses. They are remembered, so that a second start has
// the same addresses.
const (
	portMongoDB    = "mongodb"
	portTemporal   = "temporal"
	portTemporalUI = "temporal-ui"
	portPortal     = "portal"
	portHealth     = "health"
	portDashboard  = "dashboard"
)

// defaultPorts are taken when free. MongoDB's own 27017 is left to a MongoDB that may be there.
func defaultPorts() map[string]int {
	return map[string]int{
		portMongoDB:    27117,
		portTemporal:   7233,
		portTemporalUI: 8233,
		portPortal:     8090,
		portHealth:     9090,
		portDashboard:  8080,
	}
}

// HeldPorts are ports chosen and kept busy until the server that is to have them starts. All are held at the same
// time: a free port that is let go at once may be given out twice.
type HeldPorts struct {
	listeners map[string]net.Listener
	numbers   map[string]int
	moved     []string // one line for each port that could not be had
}

// holdPorts takes for each name in wanted the given port, or a free one when it is taken or 0.
func holdPorts(wanted map[string]int) (*HeldPorts, error) {
	held := &HeldPorts{listeners: map[string]net.Listener{}, numbers: map[string]int{}}
	// Ports with a number first: a free port must not take a number that is wanted.
	for name, port := range wanted {
		if port == 0 {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port))) //nolint:noctx // binding a port is immediate
		if err != nil {
			continue
		}
		held.keep(name, l)
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		port := wanted[name]
		if _, ok := held.listeners[name]; ok {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, "0")) //nolint:noctx // binding a port is immediate
		if err != nil {
			held.Release()
			return nil, fmt.Errorf("find a free port for %s: %w", name, err)
		}
		held.keep(name, l)
		if port != 0 {
			held.moved = append(held.moved, fmt.Sprintf("port %d is taken by another program: %s is on %d", port, name, held.numbers[name]))
		}
	}
	return held, nil
}

func (h *HeldPorts) keep(name string, l net.Listener) {
	h.listeners[name] = l
	h.numbers[name] = l.Addr().(*net.TCPAddr).Port
}

// Take lets a port go, for the server that listens on it next, and returns its number.
func (h *HeldPorts) Take(name string) int {
	// A listener that cannot be closed shows itself as a taken port when the server starts.
	_ = h.listeners[name].Close()
	return h.numbers[name]
}

// Listener hands a port over without letting it go.
func (h *HeldPorts) Listener(name string) net.Listener {
	l := h.listeners[name]
	delete(h.listeners, name)
	return l
}

// Release lets go of all ports.
func (h *HeldPorts) Release() {
	for _, l := range h.listeners {
		_ = l.Close()
	}
}

// address is HOST:PORT on this machine.
func address(port int) string {
	return net.JoinHostPort(loopback, strconv.Itoa(port))
}
