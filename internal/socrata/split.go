package socrata

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// errFraming is returned for a body that is not an array of objects.
var errFraming = errors.New("not an array of objects")

// maxOversizeBytes bounds a row that is too large to be held, and is read to its
// end all the same, so that the rows after it are reached.
const maxOversizeBytes = 4 * maxRowBytes

// SplitRows is [Rows] for a body that [Client.Page] has checked and whose
// checksum is still the same. It only finds where rows begin and end, at a
// fraction of the cost.
func SplitRows(r io.Reader) iter.Seq2[jsontext.Value, error] {
	return func(yield func(jsontext.Value, error) bool) {
		s := splitter{r: r, buf: make([]byte, copyBytes)}
		n := 0
		for {
			row, err := s.next(n == 0)
			if err != nil {
				yield(nil, fmt.Errorf("split rows, after %d of them: %w", n, err))
				return
			}
			if row == nil || !yield(row, nil) {
				return
			}
			n++
		}
	}
}

// splitter splits an array of objects into rows.
type splitter struct {
	r        io.Reader
	buf      []byte
	from, to int // what is read and not yet cut: buf[from:to]
	err      error
	deepest  int // nesting of the row that next returned
}

// next returns the next row, valid until the following call; nil after the
// last.
func (s *splitter) next(first bool) ([]byte, error) {
	c, err := s.mark()
	switch {
	case err != nil:
	case first && c != '[':
		return nil, fmt.Errorf("%w instead of an array", strange(c))
	case !first && c != ',' && c != ']':
		return nil, errFraming
	case first:
		c, err = s.mark()
	case c == ',':
		if c, err = s.mark(); err == nil && c != '{' {
			return nil, fmt.Errorf("%w instead of an object", strange(c))
		}
	}
	switch {
	case err != nil:
		return nil, err
	case c == '{':
		s.from-- // it is the row's
		return s.row()
	case c != ']':
		return nil, fmt.Errorf("%w instead of an object", strange(c))
	}
	if _, err := s.mark(); err == nil {
		return nil, fmt.Errorf("%w: more after the end of the array", errFraming)
	}
	if !errors.Is(s.err, io.EOF) {
		return nil, s.err
	}
	return nil, nil
}

// strange says what a value that begins with c is.
func strange(c byte) error { return fmt.Errorf("%w: %s", errFraming, jsontext.Kind(c)) }

// mark reads the next character that is not white space.
func (s *splitter) mark() (byte, error) {
	for skipped := 0; ; {
		for s.from < s.to {
			c := s.buf[s.from]
			s.from++
			if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
				return c, nil
			}
			skipped++
		}
		if skipped > maxRowBytes {
			return 0, fmt.Errorf("%w: more than %d bytes of white space", errFraming, int64(maxRowBytes))
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
}

// row reads the object that begins here. Of one that is larger than a row may
// be, it returns the beginning, which is longer than maxRowBytes.
func (s *splitter) row() ([]byte, error) {
	var (
		scan      objectScan
		beginning []byte
		seen, all int // bytes of the row: within buf, before it
	)
	for {
		if n := scan.end(s.buf[s.from+seen : s.to]); n > 0 {
			row := s.buf[s.from : s.from+seen+n : s.from+seen+n]
			s.from += seen + n
			if s.deepest = scan.deepest; beginning != nil {
				row = beginning
			}
			return row, nil
		}
		seen = s.to - s.from
		switch {
		case all+seen > maxOversizeBytes:
			return nil, fmt.Errorf("a row of more than %d bytes", int64(maxOversizeBytes))
		case beginning != nil:
			all, s.from, seen = all+seen, s.to, 0
		case seen > maxRowBytes:
			beginning, all = s.buf[s.from:s.to:s.to], seen
			s.buf, s.from, s.to, seen = make([]byte, copyBytes), 0, 0, 0
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads until the buffer is full or the input ends, and enlarges the
// buffer when one row fills it.
func (s *splitter) fill() error {
	if s.err != nil {
		if errors.Is(s.err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return s.err
	}
	if s.from == 0 && s.to == len(s.buf) {
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	s.to = copy(s.buf, s.buf[s.from:s.to])
	s.from = 0
	for s.to < len(s.buf) && s.err == nil {
		var n int
		n, s.err = s.r.Read(s.buf[s.to:])
		s.to += n
	}
	return nil
}

// objectScan finds the end of a JSON object that comes in pieces. It counts
// brackets of either kind outside of strings.
type objectScan struct {
	depth, deepest int
	inText         bool
	escaped        bool // the next character of the string is
}

// end reads on in b and returns the index after the object's end, 0 when that is
// not in b.
func (o *objectScan) end(b []byte) int {
	for i := 0; i < len(b); i++ {
		if o.inText {
			if i = o.textEnd(b, i); i == len(b) {
				return 0
			}
			continue
		}
		switch b[i] {
		case '"':
			o.inText = true
		case '{', '[':
			o.depth++
			o.deepest = max(o.deepest, o.depth)
		case '}', ']':
			if o.depth--; o.depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// textEnd returns the index of the quotation mark that ends the string, len(b)
// when it is not in b. i is within the string.
func (o *objectScan) textEnd(b []byte, i int) int {
	for {
		if o.escaped && i < len(b) {
			o.escaped = false
			i++
		}
		quote := bytes.IndexByte(b[i:], '"')
		end := i + quote
		if quote < 0 {
			end = len(b)
		}
		for !o.escaped {
			n := bytes.IndexByte(b[i:end], '\\')
			if n < 0 {
				o.inText = quote < 0
				return end
			}
			if i += n + 1; i == end {
				o.escaped = true
			} else {
				i++
			}
		}
		if i == len(b) {
			return i
		}
	}
}
