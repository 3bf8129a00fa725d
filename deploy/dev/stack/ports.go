package stack

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
)

// Loopback is the address that everything of the local stack listens on:
// nothing of it is meant for other machines.
const Loopback = "127.0.0.1"

// Names of the ports that people or programs outside the stack use. Their
// numbers are remembered, so that a second start has the same addresses.
const (
	PortMongoDB    = "mongodb"
	PortTemporal   = "temporal"
	PortTemporalUI = "temporal-ui"
	PortPortal     = "portal"
	PortHealth     = "health"
	PortDashboard  = "dashboard"
)

// DefaultPorts are the ports to use when they are free. MongoDB's own 27017 is
// left to a MongoDB that may be installed.
func DefaultPorts() map[string]int {
	return map[string]int{
		PortMongoDB:    27117,
		PortTemporal:   7233,
		PortTemporalUI: 8233,
		PortPortal:     8090,
		PortHealth:     9090,
		PortDashboard:  8080,
	}
}

// HeldPorts are ports that are kept busy until their server starts. All are
// held at the same time: a free port that is released at once may be given out
// twice.
type HeldPorts struct {
	listeners map[string]net.Listener
	numbers   map[string]int
	moved     []string // one line for each port that was taken
}

// HoldPorts holds for each name in wanted the given port, or a free one when
// that is taken or 0.
func HoldPorts(wanted map[string]int) (*HeldPorts, error) {
	held := &HeldPorts{listeners: map[string]net.Listener{}, numbers: map[string]int{}}
	// Fixed numbers come first: a free port must not get one of them.
	for name, port := range wanted {
		if port == 0 {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(Loopback, strconv.Itoa(port))) //nolint:noctx // binding a port is immediate
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
		l, err := net.Listen("tcp", net.JoinHostPort(Loopback, "0")) //nolint:noctx // binding a port is immediate
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

// Take releases a port, for the server that listens on it next, and returns its
// number.
func (h *HeldPorts) Take(name string) int {
	// If it cannot be closed, the server reports a taken port.
	_ = h.listeners[name].Close()
	return h.numbers[name]
}

// Listener hands over a port without releasing it.
func (h *HeldPorts) Listener(name string) net.Listener {
	l := h.listeners[name]
	delete(h.listeners, name)
	return l
}

// Moved has one line for each port that was taken by another program.
func (h *HeldPorts) Moved() []string { return h.moved }

// Release releases all ports.
func (h *HeldPorts) Release() {
	for _, l := range h.listeners {
		_ = l.Close()
	}
}

// Address is HOST:PORT on this machine.
func Address(port int) string {
	return net.JoinHostPort(Loopback, strconv.Itoa(port))
}
