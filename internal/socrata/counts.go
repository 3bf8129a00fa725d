package socrata

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ErrTooManyGroups is returned by [Client.GroupCounts] for a column with
// [MaxPage] different values or more, of which a portal may leave some out
// without saying so.
var ErrTooManyGroups = errors.New("too many different values to be counted by value")

// GroupCount is a value of a column and the number of rows that have it.
type GroupCount struct {
	// Value is the value as in rows, a number or checkbox as its text, with
	// U+FFFD for what is not valid text (then several groups may have the same).
	// It is empty for null and for the empty text, which are two groups.
	Value string
	Null  bool
	Rows  int64
}

// Count returns the number of rows for which the SoQL condition holds; of all
// rows when where is empty.
func (c *Client) Count(ctx context.Context, where string) (int64, Version, error) {
	asked := "the number of its rows"
	if where != "" {
		asked = "the number of its rows where " + oneLine(where)
	}
	return c.count(ctx, asked, query{columns: "count(*)", where: where})
}

// CountDistinct returns the number of different values of a text column,
// without null and the empty text.
func (c *Client) CountDistinct(ctx context.Context, column string) (int64, Version, error) {
	return c.count(ctx, "the number of different values of "+column,
		query{columns: "count(distinct " + Name(column) + ")", where: Name(column) + " != ''"})
}

// count asks for a single number.
func (c *Client) count(ctx context.Context, asked string, q query) (int64, Version, error) {
	a, err := c.get(ctx, asked, q.soda2(c.id))
	if err != nil {
		return 0, Version{}, err
	}
	defer a.Close()
	// Some servers name the column count, some count_1.
	_, value, ok, err := a.readSingle()
	if err != nil {
		return 0, Version{}, err
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if !ok || err != nil || n < 0 {
		return 0, Version{}, a.garbage("no count", nil)
	}
	return n, a.version, nil
}

// GroupCounts returns the number of rows for each value of a column, null first
// if rows have it, then by the bytes of the values. The sum is the number of
// all rows. The error is [ErrTooManyGroups] for a column with too many values.
func (c *Client) GroupCounts(ctx context.Context, column string) ([]GroupCount, Version, error) {
	a, err := c.get(ctx, "the number of its rows by "+column, query{
		columns: Name(column) + ",count(*)",
		group:   Name(column),
		limit:   MaxPage,
	}.soda2(c.id))
	if err != nil {
		return nil, Version{}, err
	}
	defer a.Close()

	body := &tee{src: a, dst: io.Discard, buf: make([]byte, copyBytes)}
	var groups []GroupCount
	for row, err := range Rows(body) {
		if err != nil {
			return nil, Version{}, a.unusable(body, err)
		}
		g, ok := groupCount(row, column)
		if !ok {
			return nil, Version{}, a.garbage(fmt.Sprintf("row %d is not a value of %s and a count", len(groups)+1, column), nil)
		}
		if groups = append(groups, g); len(groups) == MaxPage {
			return nil, a.version, fmt.Errorf("%s: %w", column, ErrTooManyGroups)
		}
	}
	slices.SortFunc(groups, func(a, b GroupCount) int {
		if a.Null != b.Null {
			if a.Null {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Value, b.Value)
	})
	for i := 1; i < len(groups); i++ {
		if groups[i].Null != groups[i-1].Null || groups[i].Value != groups[i-1].Value {
			continue
		}
		if !strings.ContainsRune(groups[i].Value, utf8.RuneError) {
			return nil, Version{}, a.garbage("one value of "+column+" in two groups", nil)
		}
	}
	return groups, a.version, nil
}

// groupCount reads {column: value, count: n}, where null values are left out.
// ok is false for any other row.
func groupCount(row jsontext.Value, column string) (g GroupCount, ok bool) {
	d := jsontext.NewDecoder(bytes.NewBuffer(row), lenient...)
	if _, err := d.ReadToken(); err != nil {
		return g, false
	}
	g.Null = true
	counted := false
	for d.PeekKind() == '"' {
		token, err := d.ReadToken()
		if err != nil {
			return g, false
		}
		isValue := token.String() == column
		if !isValue && counted {
			return g, false
		}
		value, err := d.ReadValue()
		if err != nil {
			return g, false
		}
		if kind := value.Kind(); isValue && (kind == 'n' || kind == 't' || kind == 'f') {
			if g.Null = kind == 'n'; !g.Null {
				g.Value = string(value)
			}
			continue
		}
		text, ok := appendAnyText(nil, value)
		if !ok {
			return g, false
		}
		if isValue {
			g.Value, g.Null = string(text), false
			continue
		}
		// Some servers name it count, some count_1.
		if g.Rows, err = strconv.ParseInt(string(text), 10, 64); err != nil || g.Rows < 1 {
			return g, false
		}
		counted = true
	}
	return g, counted
}

// CountRow is a combination of values and the number of rows that have it. A
// value that is null is empty.
type CountRow struct {
	Values []string
	Rows   int64
}

// CountBy returns the number of rows for each combination of the values of SoQL
// expressions, such as date_trunc_ym(start), among the rows for which the
// condition holds (empty: all). They come in no order. The error is
// [ErrTooManyGroups] for [MaxPage] combinations or more.
func (c *Client) CountBy(ctx context.Context, where string, by ...string) ([]CountRow, Version, error) {
	var names, columns []string
	for i, expression := range by {
		name := fmt.Sprintf("by_%d", i+1)
		names = append(names, name)
		columns = append(columns, expression+" as "+name)
	}
	a, err := c.get(ctx, "the number of its rows by "+oneLine(strings.Join(by, ", ")), query{
		columns: strings.Join(append(columns, "count(*) as rows"), ","),
		where:   where,
		group:   strings.Join(names, ","),
		limit:   MaxPage,
	}.soda2(c.id))
	if err != nil {
		return nil, Version{}, err
	}
	defer a.Close()

	body := &tee{src: a, dst: io.Discard, buf: make([]byte, copyBytes)}
	var counts []CountRow
	for row, err := range Rows(body) {
		if err != nil {
			return nil, Version{}, a.unusable(body, err)
		}
		var told map[string]string
		if err := json.Unmarshal(row, &told, jsontext.AllowInvalidUTF8(true)); err != nil {
			return nil, Version{}, a.garbage(fmt.Sprintf("row %d is no values and a count", len(counts)+1), err)
		}
		count := CountRow{Values: make([]string, len(names))}
		for i, name := range names {
			count.Values[i] = told[name]
		}
		if count.Rows, err = strconv.ParseInt(told["rows"], 10, 64); err != nil || count.Rows < 1 {
			return nil, Version{}, a.garbage(fmt.Sprintf("row %d has no count", len(counts)+1), err)
		}
		if counts = append(counts, count); len(counts) == MaxPage {
			return nil, a.version, fmt.Errorf("%s: %w", strings.Join(by, ", "), ErrTooManyGroups)
		}
	}
	return counts, a.version, nil
}
