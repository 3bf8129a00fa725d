package socrata

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// MaxKeys is the largest number of keys one request may name. The query is
	// part of the address, and servers and proxies commonly refuse addresses of
	// more than 8 KiB. A key such as 0000024-01-001 takes 23 bytes there with
	// its quotes and comma, so 200 of them are 4.6 kB; the names of forty
	// columns add about 1 kB.
	MaxKeys = 200
	// maxAddress bounds the address of a request, in bytes: well below 8 KiB.
	maxAddress = 7 << 10
	// maxKeyBytes bounds the keys of a batch as encoded in the address, so that
	// there is room for the names of the columns.
	maxKeyBytes = 5 << 10
)

// KeyBatches cuts keys into batches that fit one request each: [MaxKeys] at
// most, fewer when keys are long.
func KeyBatches(keys []string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		from, size := 0, 0
		for i, k := range keys {
			n := len(url.QueryEscape(literal(k) + ","))
			if i > from && (i-from == MaxKeys || size+n > maxKeyBytes) {
				if !yield(keys[from:i:i]) {
					return
				}
				from, size = i, 0
			}
			size += n
		}
		if from < len(keys) {
			yield(keys[from:])
		}
	}
}

// Present asks once which of these keys the dataset has and returns those, in
// the given order. More than [MaxKeys] keys, or keys too long for one address,
// are refused; see [KeyBatches]. An answer with a key that was not asked for is
// an error: it may leave out keys that are there.
func (c *Client) Present(ctx context.Context, key string, keys []string) ([]string, Version, error) {
	wanted, quotedKey, ref, err := c.askKeys(key, []string{key}, keys)
	if err != nil {
		return nil, Version{}, err
	}
	a, err := c.get(ctx, "which of "+describe(keys)+" it has", ref)
	if err != nil {
		return nil, Version{}, err
	}
	defer a.Close()
	body := &tee{src: a, dst: io.Discard, buf: make([]byte, copyBytes)}
	if _, err := scan(body, quotedKey, MaxPage, false, wanted.meet); err != nil {
		return nil, Version{}, a.unusable(body, err)
	}
	present := make([]string, 0, len(keys))
	for _, k := range keys {
		if wanted[k] {
			present = append(present, k)
			wanted[k] = false // a key that was given twice is told once
		}
	}
	return present, a.version, nil
}

// PageOfKeys asks once for the rows with these keys, in key order, as
// [Client.Page] does for a range: the body goes verbatim to dst while it
// arrives, and a row with a key that was not asked for is an error. Keys that
// the dataset does not have are left out. The limits are those of
// [Client.Present].
func (c *Client) PageOfKeys(ctx context.Context, key string, columns, keys []string, dst io.Writer) (PageInfo, error) {
	wanted, quotedKey, ref, err := c.askKeys(key, columns, keys)
	if err != nil {
		return PageInfo{}, err
	}
	return c.page(ctx, "rows of "+describe(keys), ref, dst, func(body io.Reader) (PageInfo, error) {
		return scan(body, quotedKey, MaxPage, false, wanted.meet)
	})
}

// askKeys returns the query for the rows with these keys.
func (c *Client) askKeys(key string, columns, keys []string) (wantedKeys, []byte, *url.URL, error) {
	if len(keys) < 1 || len(keys) > MaxKeys {
		return nil, nil, nil, fmt.Errorf("%d keys in one request: must be 1 to %d", len(keys), MaxKeys)
	}
	quotedKey, err := jsontext.AppendQuote(nil, key)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("key column %q: %w", key, err)
	}
	wanted := make(wantedKeys, len(keys))
	literals := make([]string, len(keys))
	for i, k := range keys {
		wanted[k] = false
		literals[i] = literal(k)
	}
	ref := query{
		columns: names(columns),
		where:   Name(key) + " in (" + strings.Join(literals, ",") + ")",
		order:   Name(key),
		// A key may have several rows, so the limit is not the number of keys.
		limit: MaxPage,
	}.soda2(c.id)
	if n := len(ref.String()); n > maxAddress {
		return nil, nil, nil, fmt.Errorf("%s make an address of %d bytes: must be %d at most, ask for fewer at once",
			describe(keys), n, maxAddress)
	}
	return wanted, quotedKey, ref, nil
}

// describe names the keys for people.
func describe(keys []string) string {
	if len(keys) == 1 {
		return "key " + oneLine(keys[0])
	}
	return fmt.Sprintf("%d keys from %s to %s", len(keys), oneLine(slices.Min(keys)), oneLine(slices.Max(keys)))
}

// wantedKeys are the keys that were asked for; true once a row with the key
// came.
type wantedKeys map[string]bool

// meet checks the key of the n-th row of an answer.
func (w wantedKeys) meet(n int, key []byte, ok bool) error {
	switch _, wanted := w[string(key)]; {
	case !ok:
		return fmt.Errorf("row %d has no key, where keys were asked for", n)
	case !wanted:
		return fmt.Errorf("row %d has a key that was not asked for", n)
	case n == MaxPage:
		return fmt.Errorf("%d rows, at which an answer is cut off", n)
	}
	w[string(bytes.Clone(key))] = true
	return nil
}

// Errors of [Client.KeyAt].
var (
	// ErrPastEnd says that the dataset has no key at the offset.
	ErrPastEnd = errors.New("no key at this offset")
	// ErrUnusableKey says that the key there is not valid text, or longer than
	// [MaxKey]: rows cannot be asked for by it.
	ErrUnusableKey = errors.New("the key at this offset cannot be asked for")
)

// KeyAt returns the key at this offset in key order among the keys after another
// one (empty: all), not counting rows without a key: at offset 0 the smallest. It
// returns [ErrPastEnd] past the end and [ErrUnusableKey], either with the version
// of the answer. Keys at offsets cut the key space into ranges; pages are never
// read by offset, because rows shift while the data changes. What an offset costs
// a portal grows with it, so it is counted from a key that is near.
func (c *Client) KeyAt(ctx context.Context, key, after string, offset int64) (string, Version, error) {
	a, err := c.get(ctx, fmt.Sprintf("the key at offset %d", offset), query{
		columns: Name(key),
		where:   Range{After: after}.Where(key),
		order:   Name(key),
		limit:   1,
		offset:  offset,
	}.soda2(c.id))
	if err != nil {
		return "", Version{}, err
	}
	defer a.Close()
	name, value, ok, err := a.readSingle()
	if err != nil {
		return "", Version{}, err
	}
	if !ok {
		return "", a.version, ErrPastEnd
	}
	if name != key {
		return "", Version{}, a.garbage("another column than "+key, nil)
	}
	if len(value) > MaxKey || strings.ContainsRune(value, utf8.RuneError) {
		return "", a.version, ErrUnusableKey
	}
	return value, a.version, nil
}
