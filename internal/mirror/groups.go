package mirror

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/certificate"
	"padron/internal/mongodb"
)

// SourceColumn is a column of the portal and where its value lies in a
// document.
type SourceColumn struct {
	Column string // of the portal
	Path   string // of the document's field that is made of this column alone
}

// GroupCounts counts rows by the portal's value of each column: the original
// where cleaning kept one, else the document's value, with numbers and booleans
// as text. So the counts can be compared with the portal's own. The server
// looks at every document once, and the combinations of the columns' values
// must fit into memory.
func (m *Mirror) GroupCounts(ctx context.Context, columns ...SourceColumn) ([]certificate.Group, error) {
	if len(columns) == 0 {
		return nil, nil
	}
	var id bson.D
	rows := make([]map[certificate.GroupValue]int64, len(columns))
	for i, c := range columns {
		rows[i] = map[certificate.GroupValue]int64{}
		id = append(id, bson.E{Key: strconv.Itoa(i), Value: bson.D{{Key: "$ifNull", Value: bson.A{"$source." + c.Column, "$" + c.Path, nil}}}})
	}
	err := m.db.Group(ctx, mongodb.Businesses, bson.A{bson.D{{Key: "$group", Value: bson.D{
		{Key: "_id", Value: id},
		{Key: "rows", Value: bson.D{{Key: "$sum", Value: 1}}},
	}}}}, func(raw bson.Raw) {
		n := mongodb.Number(raw, "rows")
		for i := range columns {
			value, ok := portalText(raw.Lookup("_id", strconv.Itoa(i)))
			rows[i][certificate.GroupValue{Value: value, Null: !ok}] += n
		}
	})
	if err != nil {
		return nil, fmt.Errorf("count rows by the portal's columns: %w", err)
	}
	groups := make([]certificate.Group, len(columns))
	for i, c := range columns {
		groups[i] = certificate.Group{Column: c.Column, Values: make([]certificate.GroupValue, 0, len(rows[i]))}
		for value, n := range rows[i] {
			value.Rows = n
			groups[i].Values = append(groups[i].Values, value)
		}
		slices.SortFunc(groups[i].Values, func(a, b certificate.GroupValue) int {
			return cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(b.Rows, a.Rows))
		})
	}
	return groups, nil
}

// portalText is a value as the portal's counts name it; false for none.
func portalText(v bson.RawValue) (string, bool) {
	switch v.Type {
	case bson.TypeString:
		return v.StringValue(), true
	case bson.TypeBoolean:
		return strconv.FormatBool(v.Boolean()), true
	case bson.TypeInt32, bson.TypeInt64:
		return strconv.FormatInt(v.AsInt64(), 10), true
	case bson.TypeDouble:
		return strconv.FormatFloat(v.Double(), 'f', -1, 64), true
	case bson.TypeDateTime:
		return time.UnixMilli(v.DateTime()).UTC().Format("2006-01-02T15:04:05.000"), true
	case bson.TypeEmbeddedDocument: // an original that is no text
		return v.Document().Lookup("json").StringValueOK()
	default:
		return "", false
	}
}
