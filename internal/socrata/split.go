package socrata

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// errFraming is what a splitter says of a body that is not an array of objects.
var errFraming = errors.New("not an array of objects")

// SplitRows is [Rows] for a body that [Client.Page] has checked and whose checksum says that it is still the same: it
// finds where rows begin and end and looks at nothing within them, at a fraction of the cost.
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

// splitter cuts an array of objects into these.
type splitter struct {
	r        io.Reader
	buf      []byte
	from, to int // what is read and not yet cut: buf[from:to]
	err      error
}

// next returns the next row, which is good until the one after it; nil behind the last.
func (s *splitter) next(first bool) ([]byte, error) {
	c, err := s.mark()
	switch {
	case err != nil:
	case first && c != '[', !first && c != ',' && c != ']':
		return nil, errFraming
	case first:
		c, err = s.mark()
	case c == ',':
		if c, err = s.mark(); err == nil && c != '{' {
			return nil, errFraming
		}
	}
	switch {
	case err != nil:
		return nil, err
	case c == '{':
		s.from-- // it is the row's
		return s.row()
	case c != ']':
		return nil, errFraming
	}
	if _, err := s.mark(); err == nil {
		return nil, errFraming
	}
	if !errors.Is(s.err, io.EOF) {
		return nil, s.err
	}
	return nil, nil
}

// mark takes the next character that is no space.
func (s *splitter) mark() (byte, error) {
	for {
		for s.from < s.to {
			c := s.buf[s.from]
			s.from++
			if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
				return c, nil
			}
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
}

// row takes the object that begins here.
func (s *splitter) row() ([]byte, error) {
	for {
		if n := objectLength(s.buf[s.from:s.to]); n > 0 {
			row := s.buf[s.from : s.from+n : s.from+n]
			s.from += n
			return row, nil
		}
		if s.to-s.from > maxRowBytes {
			return nil, fmt.Errorf("a row of more than %d bytes", int64(maxRowBytes))
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads on until the buffer is full, at least some bytes, and makes it larger when it is all one row.
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

// objectLength is the length of the JSON object that b begins with; 0 when its end is not in b.
func objectLength(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			n := stringLength(b[i:])
			if n == 0 {
				return 0
			}
			i += n - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// stringLength is the length of the JSON string that b begins with, quotes included; 0 when its end is not in b.
func stringLength(b []byte) int {
	for from := 1; ; {
		n := bytes.IndexByte(b[from:], '"')
		if n < 0 {
			return 0
		}
		end := from + n
		escapes := 0
		for b[end-1-escapes] == '\\' {
			escapes++ // ends at the opening quote at the latest
		}
		if from = end + 1; escapes%2 == 0 {
			return from
		}
	}
}
