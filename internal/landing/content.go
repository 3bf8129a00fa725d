package landing

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/klauspost/compress/s2"
)

const (
	// blockBytes is what is compressed at once: writer and reader hold a few of
	// them. S2 takes a third of the time of zstd's fastest level for pages half
	// as large again (measured: 1.9 us a row, where zstd takes 5.8, and 180
	// bytes where it takes 115); compressing was the largest part of a first
	// load.
	blockBytes = 256 << 10

	// abandonedAfter is the age at which an attempt without commit is
	// garbage. No step of a run takes a day.
	abandonedAfter = 24 * time.Hour

	// maxLabel bounds the page label within an id: file systems allow 255
	// bytes for a name, of which the id's other parts need some 40.
	maxLabel = 120
)

// packer compresses content into dst, hashing and counting on the way.
type packer struct {
	zw     *s2.Writer
	hash   hash.Hash
	bytes  int64
	stored countingWriter
}

func newPacker(dst io.Writer) *packer {
	p := &packer{hash: sha256.New(), stored: countingWriter{w: dst}}
	p.zw = s2.NewWriter(&p.stored, s2.WriterConcurrency(1), s2.WriterBlockSize(blockBytes))
	return p
}

func (p *packer) Write(b []byte) (int, error) {
	n, err := p.zw.Write(b)
	p.hash.Write(b[:n])
	p.bytes += int64(n)
	return n, err
}

// sum is the hex hash of what was written so far.
func (p *packer) sum() string { return hex.EncodeToString(p.hash.Sum(nil)) }

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// unpacker reads stored content and verifies hash and length at its end.
type unpacker struct {
	id     string
	src    io.ReadCloser
	zr     *s2.Reader
	hash   hash.Hash
	sum    string
	bytes  int64 // still to come
	failed error
}

func newUnpacker(id string, src io.ReadCloser, sum string, bytes int64) *unpacker {
	zr := s2.NewReader(src, s2.ReaderMaxBlockSize(blockBytes), s2.ReaderAllocBlock(blockBytes))
	return &unpacker{id: id, src: src, zr: zr, hash: sha256.New(), sum: sum, bytes: bytes}
}

func (u *unpacker) Read(b []byte) (int, error) {
	if u.failed != nil {
		return 0, u.failed
	}
	n, err := u.zr.Read(b)
	u.hash.Write(b[:n])
	u.bytes -= int64(n)
	switch {
	case errors.Is(err, io.EOF):
		if u.bytes != 0 || hex.EncodeToString(u.hash.Sum(nil)) != u.sum {
			err = fmt.Errorf("%w: %s does not hash to %s", ErrCorrupt, u.id, u.sum)
		}
	case err != nil:
		err = storedFault(u.id, err)
	}
	u.failed = err
	return n, err
}

func (u *unpacker) Close() error { return u.src.Close() }

// readFault marks an error of reading the stored bytes, which says nothing
// about their content.
type readFault struct{ err error }

func (f readFault) Error() string { return f.err.Error() }

func (f readFault) Unwrap() error { return f.err }

// storedFault tells a failure to read, which is returned as it is, from
// content that does not decompress, which is ErrCorrupt.
func storedFault(id string, err error) error {
	if fault, ok := errors.AsType[readFault](err); ok {
		return fmt.Errorf("read %s: %w", id, fault.err)
	}
	return fmt.Errorf("%w: %s: %w", ErrCorrupt, id, err)
}
