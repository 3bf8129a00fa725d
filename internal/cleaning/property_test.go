package cleaning

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"
)

// dirtyValues are values of each kind as registers hold them and as they might,
// written as JSON.
func dirtyValues(column string) *rapid.Generator[string] {
	text := rapid.OneOf(
		rapid.SampledFrom([]string{
			"San Francisco", "San+francisco", "So San Fran", " Sf", "94104", "ca", "ZZ", "94110-1234", "00000", "99999", "V6A 1E1", "N/A", "None", "Flyers #", "#", "",
			"0000 Undeliverable Mail", "7220-7229", "2300-2399 4800-4999", "Multiple", "106122", "00", "true", "False", "***Administratively Closed", "closed", "no", "12", "9", "09", "9.0", "1e3", "-0",
			"2014-10-13T00:00:00.000", "2014-10-13T10:00:00.000", "2014-10-13", "1968-10-01T00:00:00.000", "2205-01-01T00:00:00.000", "0001-01-01T00:00:00.000",
			"POINT (-122.4 37.75)", "Ñandú\u00a0Café", "a\x00b", "\"quoted\\\"", "<&>\u2028",
		}),
		rapid.StringOf(rapid.SampledFrom([]rune("aZ09 -+#'./é\t東\u200b"))),
	)
	quoted := rapid.Map(text, func(s string) string {
		b, err := json.Marshal(s)
		if err != nil {
			panic(err) // text is valid
		}
		return string(b)
	})
	points := rapid.Custom(func(t *rapid.T) string {
		lon, lat := rapid.Float64Range(-200, 200).Draw(t, "lon"), rapid.Float64Range(-100, 100).Draw(t, "lat")
		return fmt.Sprintf(rapid.SampledFrom([]string{
			`{"type":"Point","coordinates":[%v,%v]}`, `{"coordinates":[%[2]v,%[1]v],"type":"Point"}`, `{"longitude":"%v","latitude":"%v"}`, `"POINT (%v %v)"`,
			`{"type":"Point","coordinates":[%.6f,%.6f]}`,
		}).Draw(t, "form"), lon, lat)
	})
	other := rapid.SampledFrom([]string{"null", "true", "false", "7", "7.50", "1e400", "[]", `{"b":1,"a":[ {"d":1.0,"c":null} ]}`, "12345678901234567890"})
	if column == "location" {
		return rapid.OneOf(points, quoted, other)
	}
	return rapid.OneOf(quoted, quoted, quoted, other)
}

// dirtyRow draws a row and returns it with its columns in two orders.
func dirtyRow(t *rapid.T, c *Cleaner) (raw, shuffled string) {
	columns := append([]string{"data_as_of", ":@computed_region_zz", "brand_new"}, c.names...)
	var members []string
	for _, column := range columns {
		if column != c.spec.Key && rapid.Bool().Draw(t, column) {
			members = append(members, fmt.Sprintf("%q: %s", column, dirtyValues(column).Draw(t, column)))
		}
	}
	members = append(members, fmt.Sprintf("%q:%q", c.spec.Key, rapid.StringMatching(`[0-9]{7}-[0-9]{2}-[0-9]{3}`).Draw(t, "key")))
	return "{" + strings.Join(members, ",") + "}", "{" + strings.Join(rapid.Permutation(members).Draw(t, "order"), " , ") + "}"
}

func TestCleanProperties(t *testing.T) {
	c, other := newCleaner(t), newCleaner(t)
	rapid.Check(t, func(t *rapid.T) {
		raw, shuffled := dirtyRow(t, c)
		row, err := c.Clean([]byte(raw))
		require.NoError(t, err)
		if row.Quarantine != "" {
			require.Nil(t, row.Document)
			return
		}
		require.NoError(t, row.Document.Validate())

		again, err := other.Clean([]byte(shuffled))
		require.NoError(t, err)
		require.Equal(t, row.Document, again.Document, "neither the order of columns nor rows cleaned before matter")
		require.Equal(t, row.Hash, again.Hash)
		require.Equal(t, row.Flags, again.Flags)

		// Everything that was in the row but the unknown column is in the
		// document.
		known := strings.Replace(raw, `"brand_new"`, `"data_loaded_at"`, 1)
		requireRebuilt(t, c, []byte(known), row.Document)
	})
}

// What cleaning made of a value is clean: cleaned again it stays as it is.
func TestCleanIsStable(t *testing.T) {
	c := newCleaner(t)
	rapid.Check(t, func(t *rapid.T) {
		raw, _ := dirtyRow(t, c)
		row, err := c.Clean([]byte(raw))
		require.NoError(t, err)
		if row.Quarantine != "" {
			return
		}
		first := append(bson.Raw(nil), row.Document...)
		columns := map[string]string{"ttxid": row.Key}
		for i := range c.fields {
			f := &c.fields[i]
			if v, err := first.LookupErr(strings.Split(f.Path, ".")...); err == nil && v.Type == bson.TypeString && len(f.columns) > 0 {
				columns[f.From[0]] = v.StringValue()
			}
		}
		again, err := json.Marshal(columns)
		require.NoError(t, err)
		row, err = c.Clean(again)
		require.NoError(t, err)
		for i := range c.fields {
			if f := &c.fields[i]; len(f.columns) > 0 && columns[f.From[0]] != "" {
				require.Equal(t, columns[f.From[0]], row.Document.Lookup(strings.Split(f.Path, ".")...).StringValue(), f.Path)
			}
		}
	})
}

func FuzzClean(f *testing.F) {
	for _, test := range flagCases(f) {
		f.Add([]byte(test.Row))
	}
	f.Add([]byte(`{"ttxid":"1","location":{"coordinates":[1,2],"type":"Point"},"dba_name":"\u00e9\ud83d\ude00"}`))
	c := newCleaner(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		row, err := c.Clean(raw)
		if err != nil || row.Quarantine != "" {
			return
		}
		require.True(t, json.Valid(raw))
		require.NoError(t, row.Document.Validate())
		_, err = c.Source(row.Document)
		require.NoError(t, err)
	})
}
