package workflows_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// wire carries a worker's calls to the database and can cut them at a chosen
// write, before or after the server has done it: what a worker that dies, or a
// network that fails, leaves behind. It is the driver's dialer and reads
// MongoDB's wire protocol.
type wire struct {
	mu      sync.Mutex
	writes  []string // writing commands since arm: "insert businesses"
	cuts    []cut
	refused time.Time // no new connections until then
	conns   map[*wired]bool
	hit     []string // writes that were cut
}

// cut says at which of the coming writes what happens.
type cut struct {
	command string // "insert businesses"; empty: any
	at      int    // counted from 1 over such writes
	how     how
}

func (c cut) String() string { return fmt.Sprintf("write %d %s %s", c.at, c.command, c.how) }

// how a write is cut.
type how int

const (
	unsent  how = iota // all connections drop; the server never sees the write
	undone             // all connections drop once the server has answered; the answer is lost
	late               // all connections drop; the write reaches the server a little later
	failed             // the server never sees the write, the worker gets an error for it
	unheard            // the server does the write, the worker gets an error for it
)

func (h how) String() string {
	return [...]string{"unsent", "answer lost", "late", "failed", "done and failed"}[h]
}

const (
	// opMsg is the wire protocol's only kind of message that writes.
	opMsg = 2013
	// downFor is how long a database that dropped its connections refuses new ones.
	downFor = 30 * time.Millisecond
	// lateBy is how much later than its worker's next steps a late write arrives.
	lateBy = 15 * time.Millisecond
)

// arm cuts coming writes, in place of cuts that were not reached.
func (w *wire) arm(cuts ...cut) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cuts, w.writes, w.hit = slices.Clone(cuts), nil, nil
}

// seen are the writes since arm, and those of them that were cut.
func (w *wire) seen() (writes, hit []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.writes), slices.Clone(w.hit)
}

// DialContext connects the driver.
func (w *wire) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	down := time.Until(w.refused)
	w.mu.Unlock()
	if down > 0 {
		// Without the wait a worker whose pauses take no time would have used up
		// its attempts.
		time.Sleep(down)
		return nil, syscall.ECONNREFUSED
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &wired{Conn: conn, wire: w}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conns == nil {
		w.conns = map[*wired]bool{}
	}
	w.conns[c] = true
	return c, nil
}

// next counts a write and says how it is cut, if it is.
func (w *wire) next(command string) (how, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes = append(w.writes, command)
	for i := range w.cuts {
		c := &w.cuts[i]
		if c.command != "" && c.command != command {
			continue
		}
		if c.at--; c.at == 0 {
			w.hit = append(w.hit, command)
			return c.how, true
		}
	}
	return 0, false
}

// drop closes all connections, as the death of the worker's process does.
func (w *wire) drop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = time.Now().Add(downFor)
	for c := range w.conns {
		_ = c.Close() // nobody is there to care
	}
	clear(w.conns)
}

// wired is one connection.
type wired struct {
	net.Conn
	wire   *wire
	answer []byte // for the driver, in place of the server's
}

func (c *wired) Write(message []byte) (int, error) {
	command, ok := writing(message)
	if !ok {
		return c.Conn.Write(message)
	}
	how, hit := c.wire.next(command)
	if !hit {
		return c.Conn.Write(message)
	}
	switch how {
	case failed:
	case undone, unheard:
		if _, err := c.Conn.Write(message); err != nil {
			return 0, err
		}
		if err := c.skipAnswer(); err != nil {
			return 0, err
		}
	case late:
		c.wire.mu.Lock()
		delete(c.wire.conns, c)
		c.wire.mu.Unlock()
		server := &wired{Conn: c.Conn}
		go func(message []byte) {
			time.Sleep(lateBy)
			if _, err := server.Conn.Write(message); err == nil {
				_ = server.skipAnswer() // a lost write is no worse than an unsent one
			}
			_ = server.Close()
		}(slices.Clone(message))
		c.Conn, _ = net.Pipe()
		_ = c.Close() // what the driver holds from now on is dead
	case unsent:
	}
	switch how {
	case failed, unheard:
		c.answer = failure(message)
	default:
		c.wire.drop()
	}
	return len(message), nil
}

func (c *wired) Read(b []byte) (int, error) {
	if len(c.answer) > 0 {
		n := copy(b, c.answer)
		c.answer = c.answer[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

// skipAnswer reads one message of the server.
func (c *wired) skipAnswer() error {
	var size [4]byte
	if _, err := io.ReadFull(c.Conn, size[:]); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, c.Conn, int64(binary.LittleEndian.Uint32(size[:]))-4)
	return err
}

// writing names a message that writes, by its command and collection: the first
// element of its body. The driver sends a message in one piece.
// https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
func writing(message []byte) (string, bool) {
	const header, flags, section = 16, 4, 1
	if len(message) < header+flags+section || binary.LittleEndian.Uint32(message[12:]) != opMsg || message[header+flags] != 0 {
		return "", false
	}
	body, err := bson.Raw(message[header+flags+section:]).IndexErr(0)
	if err != nil || !slices.Contains([]string{"insert", "update", "delete", "findAndModify"}, body.Key()) {
		return "", false
	}
	collection, ok := body.Value().StringValueOK()
	return body.Key() + " " + collection, ok
}

// failure is a server's answer that says that a message's command failed, for
// no reason that the driver would try again for.
func failure(message []byte) []byte {
	const operationFailed = 96
	body, err := bson.Marshal(bson.D{
		{Key: "ok", Value: 0.0}, {Key: "code", Value: int32(operationFailed)}, {Key: "errmsg", Value: "the test cut this write"},
	})
	if err != nil {
		return nil
	}
	var answer []byte
	answer = binary.LittleEndian.AppendUint32(answer, uint32(16+4+1+len(body)))
	answer = append(answer, 0, 0, 0, 0)                   // its own id
	answer = append(answer, message[4:8]...)              // what it answers
	answer = append(answer, 0xdd, 0x07, 0, 0)             // opMsg
	return append(append(answer, 0, 0, 0, 0, 0), body...) // no flags, one section
}
