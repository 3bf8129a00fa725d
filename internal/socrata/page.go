package socrata

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxRowBytes bounds one row, because a row is held in memory. Rows of a
	// register are about a kilobyte, a polygon some megabytes. Of a larger row
	// the beginning is handed on (SplitRows).
	maxRowBytes = 16 << 20
	// maxNesting is how deep a row is looked into; one that is nested deeper is
	// handed on unread. The JSON library stops at 10,000.
	maxNesting = 1000
	// MaxKey bounds a key, in bytes, that rows are read by. Two of them make the
	// condition of a range, which is part of an address (maxAddress), and
	// databases refuse to index long keys: PostgreSQL those over 2,704 bytes,
	// MongoDB before 4.2 those over 1,024.
	MaxKey = 512
)

// headBytes is how much of a body is kept to say what it was instead of rows.
const headBytes = 256

// copyBytes is how much of a page is passed on at once.
const copyBytes = 64 << 10

// PageInfo describes a page.
type PageInfo struct {
	Rows int
	// FirstKey and LastKey are the keys of the first and last row that have
	// one. A key that is a JSON number is given as its text.
	FirstKey, LastKey string
	// LastRows is how many rows at the end have LastKey or none that can be read,
	// KeyBefore the key of the row before them, empty when all rows have LastKey.
	// After a full page there may be more rows with LastKey.
	LastRows  int
	KeyBefore string
	// Ordered: every row has a key, and each key is greater than the one before
	// in byte order, so that no key came twice. In a page of null keys: no row
	// has a key.
	Ordered bool
	Version Version
	// Bytes is the size of the page in bytes as written, WireBytes as sent,
	// compressed or not.
	Bytes, WireBytes int64
}

// Page asks once for the rows of the range in key order, at most limit of them
// (1 to [MaxPage]), with these columns (nil: all that the portal shows). It
// writes the decompressed body verbatim to dst while it arrives, and checks
// that it is one complete JSON array of objects. After a page of limit rows
// there may be more: ask for the range after its KeyBefore, because further
// rows may have LastKey. Rows without a key have no order and cannot be paged.
//
// On an error, discard what dst has received. The error is an [*Error], the
// context's error, or that of dst. The page is never held: memory use is a few
// buffers and one row.
func (c *Client) Page(ctx context.Context, key string, columns []string, r Range, limit int, dst io.Writer) (PageInfo, error) {
	return c.PageWhere(ctx, key, columns, r, "", limit, dst)
}

// PageWhere is Page for those rows of the range for which the SoQL condition
// holds; for all rows when where is empty.
func (c *Client) PageWhere(
	ctx context.Context, key string, columns []string, r Range, where string, limit int, dst io.Writer,
) (PageInfo, error) {
	if limit < 1 || limit > MaxPage {
		return PageInfo{}, fmt.Errorf("a page of %d rows: must be 1 to %d", limit, MaxPage)
	}
	quotedKey, err := jsontext.AppendQuote(nil, key)
	if err != nil {
		return PageInfo{}, fmt.Errorf("key column %q: %w", key, err)
	}
	q := query{columns: names(columns), where: r.Where(key), order: Name(key), limit: limit}
	asked := "rows " + r.String()
	if where != "" {
		q.where += " and (" + where + ")"
		asked += " where " + oneLine(where)
	}
	if r.NullKeys {
		q.order = Name(":id")
	}
	return c.page(ctx, asked, q.soda2(c.id), dst, func(body io.Reader) (PageInfo, error) {
		return scan(body, quotedKey, limit, r.NullKeys, nil)
	})
}

// page asks for rows and writes them to dst while they are scanned.
func (c *Client) page(
	ctx context.Context, asked string, ref *url.URL, dst io.Writer, scan func(io.Reader) (PageInfo, error),
) (PageInfo, error) {
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

// unusable returns the error for a body that ended early or holds no rows.
func (a *answer) unusable(body *tee, err error) error {
	if body.readErr != nil {
		return a.unread(body.readErr)
	}
	return a.garbage(start(body.head), err)
}

// scan decodes a page and describes it, on an error as far as it came. A check
// that is not nil is called with each row's number, from 1, and its key; ok is
// false when the row has none.
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
			ok = ok && len(this) <= MaxKey
		}
		if check != nil {
			if err := check(info.Rows, this, ok); err != nil {
				return info, err
			}
		}
		if !ok {
			info.Ordered = info.Ordered && nullKeys
			if keyed {
				info.LastRows++ // in key order it is near the row before it
			}
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

// key returns the value of the first member with the quoted name. The row is
// known to be an object, as far as it could be read.
func (f *keyFinder) key(row jsontext.Value, quotedName []byte) (jsontext.Value, bool) {
	f.buffer = *bytes.NewBuffer(row)
	f.decoder.Reset(&f.buffer, lenient...)
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

// appendText appends the text of a JSON string, unquoted, or of a number to
// dst. It returns false for anything else, and for what is not valid text.
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

// appendAnyText is appendText that takes U+FFFD for what is not valid text.
func appendAnyText(dst []byte, value jsontext.Value) ([]byte, bool) {
	after, ok := appendText(dst, value)
	return after, ok || value.Kind() == '"'
}

// Rows decodes a JSON array of objects one row at a time. A row is valid until
// the next one. An error ends the sequence and comes with a nil row: input that
// is cut off, that is not JSON or not an array of objects, or that goes on after
// the array.
//
// One bad row stops nothing: a row that can be told apart from the others is
// handed on although it cannot be read as it should, for whoever reads it to
// refuse. It may have text that is not valid UTF-8 or half of a surrogate pair,
// control characters within strings, members of the same name or nesting without
// end; of a row that is too large it is the beginning.
func Rows(r io.Reader) iter.Seq2[jsontext.Value, error] {
	return func(yield func(jsontext.Value, error) bool) {
		s := splitter{r: r, buf: make([]byte, copyBytes)}
		var check syntax
		for n := 0; ; n++ {
			row, err := s.next(n == 0)
			if err == nil && row != nil && s.deepest <= maxNesting && len(row) <= maxRowBytes {
				err = check.row(row)
			}
			switch {
			case err != nil && s.err != nil && !errors.Is(s.err, io.EOF):
				yield(nil, fmt.Errorf("read rows, after %d of them: %w", n, s.err))
				return
			case err != nil:
				yield(nil, fmt.Errorf("not a whole JSON array of objects, after %d rows: %w", n, jsonError(err)))
				return
			}
			if row == nil || !yield(row, nil) {
				return
			}
		}
	}
}

// syntax checks that rows are JSON, without allocating for each.
type syntax struct {
	buffer  bytes.Buffer
	decoder jsontext.Decoder
}

// row returns what is wrong with a row that is no JSON at all.
func (s *syntax) row(row []byte) error {
	err := s.read(row)
	if err != nil && bytes.ContainsFunc(row, isControl) {
		// Control characters are not allowed in strings, and portals hand on those
		// that people have typed.
		err = s.read(bytes.Map(func(r rune) rune {
			if isControl(r) {
				return ' '
			}
			return r
		}, row))
	}
	return err
}

func (s *syntax) read(row []byte) error {
	s.buffer = *bytes.NewBuffer(row)
	s.decoder.Reset(&s.buffer, lenient...)
	_, err := s.decoder.ReadValue()
	return err
}

func isControl(r rune) bool { return r < ' ' }

// lenient reads rows that cannot be stored, as far as it takes to tell them
// apart.
var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// tee is a reader that writes what it reads to dst, in large pieces, and
// remembers whether reading or writing failed.
type tee struct {
	src io.Reader
	dst io.Writer
	buf []byte
	// rest is the part of buf written to dst and not yet read.
	rest []byte
	// head is the beginning of the body, to say what it is when it turns out to
	// be no rows.
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
