package socrata

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxMetadata bounds the metadata of a dataset, in bytes; 40 columns with their
// cached contents are about 100 kB.
const maxMetadata = 8 << 20

// Metadata is what a portal says about a dataset (/api/views/{id}.json), as far
// as it is of use here.
type Metadata struct {
	ID, Name, Description string
	// Attribution and License are empty when the publisher names none.
	Attribution, License string
	// RowsUpdatedAt is when rows last changed, ViewLastModified when anything
	// did, the description included. One-second resolution; zero when absent.
	RowsUpdatedAt, ViewLastModified time.Time
	// RowIdentifier is the field name of the column the publisher declared as
	// key; empty when none is.
	RowIdentifier string
	Columns       []Column
}

// Column is a column of a dataset, in the publisher's order. Computed regions
// are among them, system columns are not.
type Column struct {
	// FieldName is the name in queries and rows, DataTypeName its type (text,
	// number, calendar_date, point, checkbox …), Name the heading for people.
	FieldName, DataTypeName, Name string
	// Cached is the portal's own profile of the column, nil when it has none.
	Cached *CachedContents
}

// CachedContents is a portal's profile of a column, made some time after the
// last change of the rows. A number the portal does not give, or not as a whole
// number, is -1.
type CachedContents struct {
	NonNull, Null, Count, Cardinality int64
	// Smallest and Largest are text as in rows, the JSON text for points and
	// the like, empty when not given.
	Smallest, Largest string
	// Top are the most frequent values, the most frequent first.
	Top []TopValue
}

// TopValue is a frequent value of a column and the number of rows that have it.
type TopValue struct {
	Item  string
	Count int64
}

// view is the JSON of /api/views/{id}.json. All numbers of cachedContents are
// strings in practice; values that were seen with another type are kept raw.
type view struct {
	ID                    string       `json:"id"`
	Name                  string       `json:"name"`
	Description           string       `json:"description"`
	Attribution           string       `json:"attribution"`
	License               viewLicense  `json:"license"`
	RowsUpdatedAt         int64        `json:"rowsUpdatedAt"`
	ViewLastModified      int64        `json:"viewLastModified"`
	RowIdentifierColumnID int64        `json:"rowIdentifierColumnId"`
	Columns               []viewColumn `json:"columns"`
}

type viewLicense struct {
	Name string `json:"name"`
}

type viewColumn struct {
	ID             int64       `json:"id"`
	Name           string      `json:"name"`
	FieldName      string      `json:"fieldName"`
	DataTypeName   string      `json:"dataTypeName"`
	CachedContents *viewCached `json:"cachedContents"`
}

type viewCached struct {
	NonNull     jsontext.Value `json:"non_null"`
	Null        jsontext.Value `json:"null"`
	Count       jsontext.Value `json:"count"`
	Cardinality jsontext.Value `json:"cardinality"`
	Smallest    jsontext.Value `json:"smallest"`
	Largest     jsontext.Value `json:"largest"`
	Top         []struct {
		Item  jsontext.Value `json:"item"`
		Count jsontext.Value `json:"count"`
	} `json:"top"`
}

// Metadata returns what the portal says about the dataset.
func (c *Client) Metadata(ctx context.Context) (*Metadata, Version, error) {
	a, err := c.get(ctx, "its metadata", &url.URL{Path: "/api/views/" + c.id + ".json"})
	if err != nil {
		return nil, Version{}, err
	}
	defer a.Close()
	body, err := a.readSmall(maxMetadata)
	if err != nil {
		return nil, Version{}, err
	}
	var v view
	if err := json.Unmarshal(body, &v, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return nil, Version{}, a.garbage(start(body), jsonError(err))
	}
	if v.ID != c.id || len(v.Columns) == 0 {
		return nil, Version{}, a.garbage("no metadata of "+c.id+" with columns", nil)
	}

	m := &Metadata{
		ID:               v.ID,
		Name:             v.Name,
		Description:      v.Description,
		Attribution:      v.Attribution,
		License:          v.License.Name,
		RowsUpdatedAt:    unix(v.RowsUpdatedAt),
		ViewLastModified: unix(v.ViewLastModified),
		Columns:          make([]Column, 0, len(v.Columns)),
	}
	for _, column := range v.Columns {
		if v.RowIdentifierColumnID != 0 && column.ID == v.RowIdentifierColumnID {
			m.RowIdentifier = column.FieldName
		}
		m.Columns = append(m.Columns, Column{
			FieldName:    column.FieldName,
			DataTypeName: column.DataTypeName,
			Name:         column.Name,
			Cached:       column.CachedContents.decode(),
		})
	}
	return m, a.version, nil
}

func (v *viewCached) decode() *CachedContents {
	if v == nil {
		return nil
	}
	c := &CachedContents{
		NonNull:     wholeNumber(v.NonNull),
		Null:        wholeNumber(v.Null),
		Count:       wholeNumber(v.Count),
		Cardinality: wholeNumber(v.Cardinality),
		Smallest:    textOf(v.Smallest),
		Largest:     textOf(v.Largest),
	}
	for _, top := range v.Top {
		c.Top = append(c.Top, TopValue{Item: textOf(top.Item), Count: wholeNumber(top.Count)})
	}
	return c
}

// textOf returns the text of any JSON value: a string unquoted, null and a
// missing value as empty, the rest as written.
func textOf(v jsontext.Value) string {
	if len(v) == 0 || v.Kind() == 'n' {
		return ""
	}
	if text, ok := appendText(nil, v); ok {
		return string(text)
	}
	return string(v)
}

func wholeNumber(v jsontext.Value) int64 {
	n, err := strconv.ParseInt(textOf(v), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func unix(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
