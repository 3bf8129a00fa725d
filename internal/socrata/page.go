package socrata

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxRowBytes bounds one row. Rows of a register are about a kilobyte, a polygon some megabytes; beyond that
// something is wrong, and the row would be held whole.
const maxRowBytes = 16 << 20

// headBytes is how much of a body is kept to say what it was instead of rows.
const headBytes = 256

// copyBytes is how much of a page is handed on at once.
const copyBytes = 64 << 10

// PageInfo says what a page held.
type PageInfo struct {
	Rows int
	// FirstKey and LastKey are the keys of the first and last row that have one. A key that is a JSON
	// number is its text.
	FirstKey, LastKey string
	// LastRows is how many rows at the end have LastKey, KeyBefore the key of the row before them: where a
	// full page ends, more rows with LastKey may be left out. Empty when all rows have LastKey.
	LastRows  int
	KeyBefore string
	// Ordered: every row has a key, and each key is greater than the one before in byte order, which is
	// also to say that none came twice. In a page of null keys: no row has a key.
	Ordered bool
	Version Version
	// Bytes is the size of the page in bytes as written, WireBytes as it was sent, compressed or not.
	Bytes, WireBytes int64
}

// Page asks once for the rows of the range in key order, with the columns named (nil: whatever the portal
// shows of a whole row), limit of them at most (1 to [MaxPage]), and writes
// the decompressed body verbatim to dst while it comes, checking that it is a whole JSON array of objects
// and nothing after it. A page of limit rows may not be all: ask for the range after its KeyBefore, for
// LastKey may be the key of further rows. Rows without a key are in no order and cannot be asked for further.
//
// On an error, what dst has received is to be thrown away. It is an [*Error], the context's error, or that
// of dst. The page is never held: memory stays at some buffers and one row.
func (c *Client) Page(ctx context.Context, key string, columns []string, r Range, limit int, dst io.Writer) (PageInfo, error) {
	return c.PageWhere(ctx, key, columns, r, "", limit, dst)
}

// PageWhere is Page for those rows of the range for which the SoQL condition holds; for all when it is empty.
func (c *Client) PageWhere(ctx context.Context, key string, columns []string, r Range, where string, limit int, dst io.Writer) (PageInfo, error) {
	if limit < 1 || limit > MaxPage {
		return PageInfo{}, fmt.Errorf("a page of %d rows: must be 1 to %d", limit, MaxPage)
	}
	quotedKey, err := jsontext.AppendQuote(nil, key)
	if err != nil {
		return PageInfo{}, fmt.Errorf("key column %q: %w", key, err)
	}
	q := query{columns: strings.Join(columns, ","), where: r.Where(key), order: key, limit: limit}
	asked := "rows " + r.String()
	if where != "" {
		q.where += " and (" + where + ")"
		asked += " where " + oneLine(where)
	}
	if r.NullKeys {
		q.order = ":id"
	}
	return c.page(ctx, asked, q.soda2(c.id), dst, func(body io.Reader) (PageInfo, error) {
		return scan(body, quotedKey, limit, r.NullKeys, nil)
	})
}

// page asks for rows and hands them on to dst while they are scanned.
func (c *Client) page(ctx context.Context, asked string, ref *url.URL, dst io.Writer, scan func(io.Reader) (PageInfo, error)) (PageInfo, error) {
	a, err := c.get(ctx, asked, ref)
	if err != nil {
		return PageInfo{}, err
	}
	defer a.Close()
	body := &tee{src: a, dst: dst, buf: make([]byte, copyBytes)}
	info, err := scan(body)
	switch {
	case body.writeErr != nil:
		return PageInfo{}, fmt.Errorf("write %s: %w", asked, body.writeErr)
	case err != nil:
		return PageInfo{}, a.unusable(body, err)
	}
	info.Version = a.version
	info.Bytes = body.n
	info.WireBytes = a.wire
	return info, nil
}

// unusable is the error for a body of rows that ended before its time or is no rows.
func (a *answer) unusable(body *tee, err error) error {
	if body.readErr != nil {
		return a.unread(body.readErr)
	}
	return a.garbage(start(body.head), err)
}

// scan decodes a page and says what it held, on an error what it held so far. When check is not nil it is called
// with each row's number, from 1, and its key; ok is false when the row has none.
func scan(body io.Reader, quotedKey []byte, limit int, nullKeys bool, check func(n int, key []byte, ok bool) error) (PageInfo, error) {
	info := PageInfo{Ordered: true}
	var (
		find               keyFinder
		this, last, before []byte
		keyed              bool
	)
	for row, err := range Rows(body) {
		if err != nil {
			return info, err
		}
		if info.Rows == limit {
			return info, fmt.Errorf("more rows than the %d asked for", limit)
		}
		info.Rows++
		value, ok := find.key(row, quotedKey)
		if ok {
			this, ok = appendText(this[:0], value)
		}
		if check != nil {
			if err := check(info.Rows, this, ok); err != nil {
				return info, err
			}
		}
		if !ok {
			info.Ordered = info.Ordered && nullKeys
			continue
		}
		switch {
		case nullKeys:
			info.Ordered = false
		case keyed && bytes.Compare(last, this) >= 0:
			info.Ordered = false
		}
		switch {
		case !keyed:
			info.FirstKey, info.LastRows = string(this), 1
		case bytes.Equal(last, this):
			info.LastRows++
		default:
			before, info.LastRows = append(before[:0], last...), 1
		}
		keyed = true
		this, last = last, this
	}
	info.LastKey, info.KeyBefore = string(last), string(before)
	return info, nil
}

// keyFinder finds the key in row after row without allocating.
type keyFinder struct {
	buffer  bytes.Buffer
	decoder jsontext.Decoder
}

// key returns the value of the member with the quoted name. The row is known to be a valid object.
func (f *keyFinder) key(row jsontext.Value, quotedName []byte) (jsontext.Value, bool) {
	f.buffer = *bytes.NewBuffer(row)
	f.decoder.Reset(&f.buffer, jsontext.AllowDuplicateNames(true))
	d := &f.decoder
	if _, err := d.ReadToken(); err != nil {
		return nil, false
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadValue()
		if err != nil {
			return nil, false
		}
		if bytes.Equal(name, quotedName) {
			value, err := d.ReadValue()
			return value, err == nil
		}
		if d.SkipValue() != nil {
			return nil, false
		}
	}
	return nil, false
}

// appendText appends the text of a JSON string, unquoted, or number to dst. It is false for anything else.
func appendText(dst []byte, value jsontext.Value) ([]byte, bool) {
	if value.Kind() == '0' {
		return append(dst, value...), true
	}
	if value.Kind() != '"' {
		return dst, false
	}
	dst, err := jsontext.AppendUnquote(dst, value)
	return dst, err == nil
}

// Rows decodes a JSON array of objects one row at a time. A row is valid until the next one. An error ends
// the sequence and comes with a nil row: input that is cut off, that is not JSON or not an array of
// objects, that has members of the same name in a row, or that goes on after the array.
func Rows(r io.Reader) iter.Seq2[jsontext.Value, error] {
	return func(yield func(jsontext.Value, error) bool) {
		in := &bounded{r: r}
		d := jsontext.NewDecoder(in)
		in.decoder = d
		if token, err := d.ReadToken(); err != nil {
			yield(nil, in.notRows(0, err))
			return
		} else if token.Kind() != '[' {
			yield(nil, in.notRows(0, fmt.Errorf("%s instead of an array", token.Kind())))
			return
		}
		n := 0
		for d.PeekKind() == '{' {
			row, err := d.ReadValue()
			if err != nil {
				yield(nil, in.notRows(n, err))
				return
			}
			n++
			if !yield(row, nil) {
				return
			}
		}
		if token, err := d.ReadToken(); err != nil {
			yield(nil, in.notRows(n, err))
			return
		} else if token.Kind() != ']' {
			yield(nil, in.notRows(n, fmt.Errorf("%s instead of an object", token.Kind())))
			return
		}
		// To the very end: what follows would be a second answer, and the checksum of a compressed body
		// comes last.
		if _, err := d.ReadToken(); err == nil {
			yield(nil, in.notRows(n, errors.New("more after the end of the array")))
		} else if !errors.Is(err, io.EOF) {
			yield(nil, in.notRows(n, err))
		}
	}
}

// notRows is the error after n good rows: the reader's own if it had one.
func (b *bounded) notRows(n int, err error) error {
	if b.err != nil {
		return fmt.Errorf("read rows, after %d of them: %w", n, b.err)
	}
	return fmt.Errorf("not a whole JSON array of objects, after %d rows: %w", n, jsonError(err))
}

// bounded stops a decoder that would have to hold more than maxRowBytes to finish one row.
type bounded struct {
	r       io.Reader
	decoder *jsontext.Decoder
	n       int64
	err     error // what ended it before its time
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.n-b.decoder.InputOffset() > maxRowBytes {
		b.err = fmt.Errorf("a row of more than %d bytes", int64(maxRowBytes))
		return 0, b.err
	}
	n, err := b.r.Read(p)
	b.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// tee is a reader that writes what it reads to dst, in large pieces, and remembers whose error ended it.
type tee struct {
	src io.Reader
	dst io.Writer
	buf []byte
	// rest is the part of buf written to dst and not yet read.
	rest []byte
	// head is the beginning of the body, to say what it is when it turns out to be no rows.
	head              []byte
	n                 int64
	readErr, writeErr error
}

func (t *tee) Read(p []byte) (int, error) {
	for len(t.rest) == 0 {
		n, err := t.src.Read(t.buf)
		if n > 0 {
			if t.n == 0 {
				t.head = bytes.Clone(t.buf[:min(n, headBytes)])
			}
			t.n += int64(n)
			if _, err := t.dst.Write(t.buf[:n]); err != nil {
				t.writeErr = err
				return 0, err
			}
			t.rest = t.buf[:n]
			break
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.readErr = err
			}
			return 0, err
		}
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}
