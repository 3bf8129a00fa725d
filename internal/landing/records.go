package landing

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"padron/internal/lineage"
	"padron/internal/mongodb"
)

// A cleaned page is a stream of BSON documents, one per source row, in the
// page's order:
//
//	{k: key, h: hash of d (32 bytes), d: canonical document, f: fingerprint}   a clean row
//	{k: key, h: hash (32 bytes), f: fingerprint}                               a clean row that is stored as it is
//	{k: key, q: reason, r: source row as JSON text}                            a quarantined row
//
// f is left out where there is none, and of a stored row where it has that one.
//
// BSON is length-prefixed, so the stream needs no framing and is read without
// decoding what is not needed. Any BSON reader can print a page.

const (
	// maxRecord bounds one record. MongoDB refuses documents above 16 MiB;
	// the rest is room for key, hash and names.
	maxRecord = 16<<20 + 4096

	// pageBuffer is what PageWriter and PageReader hold back; some 60 rows.
	pageBuffer = 64 << 10
)

// Record is one row of a cleaned page.
type Record struct {
	Key        string                 // the dataset's key; empty only when quarantined for lacking one
	Hash       [lineage.HashSize]byte // SHA-256 of Document
	Document   bson.Raw               // canonical document without lineage; nil when quarantined, or stored as it is
	Row        []byte                 // fingerprint of the source row, to be stored with the document; nil: none, or stored already
	Quarantine string                 // reason; empty when clean
	Raw        []byte                 // quarantined: the source row as JSON text
}

// PageWriter writes the records of a cleaned page. Not for concurrent use.
type PageWriter struct {
	w   *bufio.Writer
	buf []byte
}

// NewPageWriter writes records to w. Call Flush at the end.
func NewPageWriter(w io.Writer) *PageWriter {
	return &PageWriter{w: bufio.NewWriterSize(w, pageBuffer)}
}

// Append writes a clean row: its key, the hash of its document, the canonical
// document, whose bytes are copied as they are, and the fingerprint of the source
// row, nil for none.
func (p *PageWriter) Append(key string, hash [lineage.HashSize]byte, doc bson.Raw, row []byte) error {
	if len(doc) < 5 || int(binary.LittleEndian.Uint32(doc)) != len(doc) {
		return fmt.Errorf("document of key %q is not BSON", key)
	}
	b := append(p.buf[:0], 0, 0, 0, 0)
	b = bsoncore.AppendStringElement(b, "k", key)
	b = bsoncore.AppendBinaryElement(b, "h", bson.TypeBinaryGeneric, hash[:])
	b = bsoncore.AppendDocumentElement(b, "d", doc)
	return p.end(appendRow(b, row))
}

// Same writes a clean row whose document the mirror already has
// (mirror.Comparison): its key, the hash of the document, and the fingerprint of
// the source row where another one is stored, else nil.
func (p *PageWriter) Same(key string, hash [lineage.HashSize]byte, row []byte) error {
	b := append(p.buf[:0], 0, 0, 0, 0)
	b = bsoncore.AppendStringElement(b, "k", key)
	b = bsoncore.AppendBinaryElement(b, "h", bson.TypeBinaryGeneric, hash[:])
	return p.end(appendRow(b, row))
}

func appendRow(b, row []byte) []byte {
	if row == nil {
		return b
	}
	return bsoncore.AppendBinaryElement(b, "f", bson.TypeBinaryGeneric, row)
}

// Quarantine writes a row that could not become a document: its key if it has
// one, the reason, and the source row as JSON text.
func (p *PageWriter) Quarantine(key, reason string, raw []byte) error {
	if reason == "" {
		return errors.New("a quarantined row needs a reason")
	}
	b := append(p.buf[:0], 0, 0, 0, 0)
	b = bsoncore.AppendStringElement(b, "k", key)
	b = bsoncore.AppendStringElement(b, "q", reason)
	b = bsoncore.AppendStringElement(b, "r", string(raw))
	return p.end(b)
}

func (p *PageWriter) end(b []byte) error {
	b = append(b, 0)
	if len(b) > maxRecord {
		return fmt.Errorf("record of %d bytes is above the limit of %d", len(b), maxRecord)
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	p.buf = b
	_, err := p.w.Write(b)
	return err
}

// Flush hands what is held back to the underlying writer.
func (p *PageWriter) Flush() error { return p.w.Flush() }

// PageReader reads a cleaned page in constant memory. Not for concurrent use.
type PageReader struct {
	r     *bufio.Reader
	buf   []byte
	index int
}

// NewPageReader reads the records that a PageWriter wrote to r.
func NewPageReader(r io.Reader) *PageReader {
	return &PageReader{r: bufio.NewReaderSize(r, pageBuffer), index: -1}
}

// Index is the position of the record that Next returned last, from 0.
func (p *PageReader) Index() int { return p.index }

// Next reads one record into rec. Document, Row and Raw are valid until the next
// call. The end is io.EOF; a stream that is no cleaned page, or ends within a
// record, is ErrCorrupt; an error of the underlying reader is returned as it
// is.
func (p *PageReader) Next(rec *Record) error {
	var size [4]byte
	if _, err := io.ReadFull(p.r, size[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return p.corrupt("ends within a record")
		}
		return err
	}
	n := int(binary.LittleEndian.Uint32(size[:]))
	if n < 5 || n > maxRecord {
		return p.corrupt("length of %d", n)
	}
	if cap(p.buf) < n {
		p.buf = make([]byte, n, n+n/4)
	}
	b := p.buf[:n]
	copy(b, size[:])
	if _, err := io.ReadFull(p.r, b[4:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return p.corrupt("ends within a record")
		}
		return err
	}
	p.index++
	return p.decode(b, rec)
}

func (p *PageReader) decode(b []byte, rec *Record) error {
	*rec = Record{}
	var hasKey, hasHash bool
	rest := b[4 : len(b)-1]
	for len(rest) > 0 {
		kind, name, after, ok := mongodb.ReadHeader(rest)
		if !ok {
			return p.corrupt("unreadable element")
		}
		value, after, ok := bsoncore.ReadValue(after, kind)
		if !ok {
			return p.corrupt("unreadable value of %q", name)
		}
		rest = after
		switch {
		case string(name) == "k" && kind == bsoncore.TypeString:
			rec.Key, hasKey = value.StringValue(), true
		case string(name) == "h" && kind == bsoncore.TypeBinary:
			_, h, ok := value.BinaryOK()
			if !ok || len(h) != lineage.HashSize {
				return p.corrupt("hash of %d bytes", len(h))
			}
			copy(rec.Hash[:], h)
			hasHash = true
		case string(name) == "d" && kind == bsoncore.TypeEmbeddedDocument:
			rec.Document = bson.Raw(value.Data)
		case string(name) == "f" && kind == bsoncore.TypeBinary:
			_, rec.Row, _ = value.BinaryOK()
		case string(name) == "q" && kind == bsoncore.TypeString:
			rec.Quarantine = value.StringValue()
		case string(name) == "r" && kind == bsoncore.TypeString:
			// A BSON string is its length, its bytes and a zero.
			rec.Raw = value.Data[4 : len(value.Data)-1]
		default:
			return p.corrupt("unexpected element %q", name)
		}
	}
	clean := rec.Quarantine == "" && hasHash && rec.Raw == nil
	quarantined := rec.Quarantine != "" && rec.Document == nil && !hasHash && rec.Row == nil && rec.Raw != nil
	if !hasKey || clean == quarantined {
		return p.corrupt("neither a clean nor a quarantined row")
	}
	return nil
}

func (p *PageReader) corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: record %d: %s", ErrCorrupt, max(p.index, 0), fmt.Sprintf(format, args...))
}
