package portalsim

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"padron/internal/portalsim/store"
)

// registerKinds are the types of the register's columns at any time, and of
// some common ones of other registers. Other columns are typed by their values.
var registerKinds = map[string]store.Kind{
	"uniqueid": store.KindText, "certificate_number": store.KindText, "ttxid": store.KindText,
	"ownership_name": store.KindText, "dba_name": store.KindText,
	"full_business_address": store.KindText, "city": store.KindText, "state": store.KindText, "business_zip": store.KindText,
	"dba_start_date": store.KindCalendarDate, "dba_end_date": store.KindCalendarDate,
	"location_start_date": store.KindCalendarDate, "location_end_date": store.KindCalendarDate,
	"administratively_closed": store.KindText,
	"mailing_address_1":       store.KindText, "mail_city": store.KindText, "mail_state": store.KindText, "mail_zipcode": store.KindText,
	"naic_code": store.KindText, "naic_code_description": store.KindText, "naics_code_descriptions_list": store.KindText,
	"self_reported_naics_code": store.KindText,
	"lic":                      store.KindText, "lic_code_description": store.KindText, "lic_code_descriptions_list": store.KindText,
	"parking_tax": store.KindCheckbox, "transient_occupancy_tax": store.KindCheckbox,
	"location": store.KindPoint, "business_corridor": store.KindText,
	"neighborhoods_analysis_boundaries": store.KindText, "supervisor_district": store.KindText,
	"community_benefit_district": store.KindText,
	"data_as_of":                 store.KindCalendarDate, "data_loaded_at": store.KindCalendarDate,
	"id": store.KindText, "location_address": store.KindText, "location_city": store.KindText,
	"location_state": store.KindText, "location_zip": store.KindText,
}

// registerTitles are the titles of the register's columns that are not their
// names, as fieldName makes them: the portal's Export button writes titles.
var registerTitles = map[string]string{
	"location_id": "ttxid", "business_account_number": "certificate_number", "street_address": "full_business_address",
	"source_zipcode": "business_zip", "business_start_date": "dba_start_date", "business_end_date": "dba_end_date",
	"mail_address": "mailing_address_1", "naics_code": "naic_code", "naics_code_description": "naic_code_description",
	"lic_code": "lic", "business_location": "location",
	"sf_find_neighborhoods": ":@computed_region_6qbp_sg9q", "current_police_districts": ":@computed_region_qgnn_b9vv",
	"current_supervisor_districts": ":@computed_region_26cr_cadq", "analysis_neighborhoods": ":@computed_region_ajp5_b2md",
	"neighborhoods": ":@computed_region_jwn9_ihcz",
}

// field is one cell of a file: its column and what it holds.
type field struct {
	name string
	x    any // nil, string or bool; from JSON also float64, map[string]any or []any
}

// FromFile reads rows from a file: a JSON array of objects, one JSON object per
// line, or CSV with a header when the file's name ends in .csv. Blank CSV cells
// are null; a header such as "LICENSE ID" becomes license_id, and in what the
// portal's Export button gives of the register, "Location Id" becomes ttxid.
// Columns of the register have its types. Others are dates, checkboxes, points or decimals if
// all their values look so, else text. The file is read twice and never held
// whole.
func FromFile(path string) (*store.Table, error) {
	t := typer{byName: map[string]*typing{}}
	if err := readFile(path, t.see); err != nil {
		return nil, err
	}
	if len(t.columns) == 0 {
		return nil, fmt.Errorf("%s holds no columns", path)
	}
	b, err := store.NewBuilder(t.table(), t.rows)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	columns := map[string]store.Column{}
	for _, c := range b.Columns() {
		columns[c.Name] = c
	}
	cells := b.Row()
	err = readFile(path, func(row []field) error {
		clear(cells)
		for _, f := range row {
			c := columns[f.name]
			v, err := store.FromGo(c.Kind, f.x)
			if err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
			cells[c.Slot] = v
		}
		b.Add(cells)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return b.Table(), nil
}

// readFile calls row for each row of a file. The fields are valid until it
// returns.
func readFile(path string, row func([]field) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	read := readJSON
	if strings.EqualFold(filepath.Ext(path), ".csv") {
		read = readCSV
	}
	n := 0
	err = read(bufio.NewReaderSize(f, 1<<16), func(fields []field) error {
		n++
		return row(fields)
	})
	if err != nil {
		return fmt.Errorf("%s, row %d: %w", path, n, err)
	}
	return nil
}

// readCSV reads a header and the rows behind it.
func readCSV(r *bufio.Reader, row func([]field) error) error {
	if head, err := r.Peek(3); err == nil && string(head) == "\ufeff" {
		_, _ = r.Discard(3) // cannot fail: they have been peeked at
	}
	records := csv.NewReader(r)
	header, err := records.Read()
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	names := make([]string, len(header))
	for i, h := range header {
		names[i] = fieldName(h)
	}
	if slices.Contains(names, "location_id") && slices.Contains(names, "business_account_number") { // the register's key and account
		for i, name := range names {
			names[i] = cmp.Or(registerTitles[name], name)
		}
	}
	for i, h := range header {
		if names[i] == "" || slices.Contains(names[:i], names[i]) {
			return fmt.Errorf("header: column %d is named %q: empty or a second one of that name", i+1, h)
		}
	}
	records.ReuseRecord = true
	fields := make([]field, len(names))
	for {
		record, err := records.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i, text := range record {
			fields[i] = field{name: names[i]}
			if text != "" {
				fields[i].x = text
			}
		}
		if err := row(fields); err != nil {
			return err
		}
	}
}

// fieldName makes a field name of a CSV header, as the portal does: in lower
// case, and with one underscore for each run of other characters. Names of
// computed columns stay as they are.
func fieldName(header string) string {
	if strings.HasPrefix(header, ":@") {
		return header
	}
	return strings.Join(strings.FieldsFunc(strings.ToLower(header), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), "_")
}

// readJSON reads an array of objects, or objects one after the other.
func readJSON(r *bufio.Reader, row func([]field) error) error {
	d := jsontext.NewDecoder(r, jsontext.AllowDuplicateNames(false))
	if d.PeekKind() == '[' {
		if _, err := d.ReadToken(); err != nil {
			return err
		}
	}
	inArray := d.StackDepth() == 1
	var fields []field
	for {
		switch d.PeekKind() {
		case '{':
		case ']':
			_, err := d.ReadToken()
			return err
		default:
			_, err := d.ReadToken()
			if errors.Is(err, io.EOF) && !inArray {
				return nil
			}
			if err == nil {
				err = errors.New("a row must be a JSON object")
			}
			return err
		}
		raw, err := d.ReadValue()
		if err != nil {
			return err
		}
		if fields, err = objectFields(raw, fields[:0]); err != nil {
			return err
		}
		if err := row(fields); err != nil {
			return err
		}
	}
}

// objectFields decodes a JSON object in the order of its text. System columns
// are left out.
func objectFields(raw jsontext.Value, fields []field) ([]field, error) {
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		f := field{name: name.String()}
		if err := json.UnmarshalDecode(d, &f.x); err != nil {
			return nil, err
		}
		if strings.HasPrefix(f.name, ":") && !strings.HasPrefix(f.name, ":@") {
			continue
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// typer finds the columns of a file and the types that all their values allow.
type typer struct {
	rows    int
	columns []*typing
	byName  map[string]*typing
}

// typing is what one column's values so far could all be.
type typing struct {
	name                   string
	some                   bool // at least one value
	date, bool, point, dec bool // all values so far could be this
	json                   bool // at least one is an object or a list
}

// see takes one row into account.
func (t *typer) see(row []field) error {
	t.rows++
	for _, f := range row {
		c := t.byName[f.name]
		if c == nil {
			c = &typing{name: f.name, date: true, bool: true, point: true, dec: true}
			t.byName[f.name] = c
			t.columns = append(t.columns, c)
		}
		if f.x != nil {
			c.narrow(f.x)
		}
	}
	return nil
}

// narrow rules out what a value cannot be.
func (c *typing) narrow(x any) {
	c.some = true
	can := func(k store.Kind) bool {
		_, err := store.FromGo(k, x)
		return err == nil
	}
	text, isText := x.(string)
	_, isBool := x.(bool)
	_, isNumber := x.(float64)
	c.json = c.json || !isText && !isBool && !isNumber
	c.date = c.date && isText && len(text) >= len("2006-01-02") && can(store.KindCalendarDate)
	c.bool = c.bool && (isBool || text == "true" || text == "false")
	c.point = c.point && !isBool && can(store.KindPoint)
	// Whole numbers in quotes may be codes in which leading zeros count.
	c.dec = c.dec && (isNumber || strings.Contains(text, ".") && can(store.KindNumber))
}

// table lists the columns with their types.
func (t *typer) table() []store.Column {
	columns := make([]store.Column, len(t.columns))
	for i, c := range t.columns {
		columns[i] = store.Column{Name: c.name, Kind: c.kind()}
	}
	return columns
}

func (c *typing) kind() store.Kind {
	if k, ok := registerKinds[c.name]; ok && !c.json || k == store.KindPoint && c.point {
		return k
	}
	switch {
	case strings.HasPrefix(c.name, ":@computed_region_"):
		return store.KindNumber
	case !c.some:
		return store.KindText
	case c.date:
		return store.KindCalendarDate
	case c.bool:
		return store.KindCheckbox
	case c.point:
		return store.KindPoint
	case c.dec:
		return store.KindNumber
	case c.json:
		return store.KindLocation
	default:
		return store.KindText
	}
}
