package socrata_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/socrata"
)

// TestUnknownColumns finds the columns that the metadata list and no row has, with
// one request for each, and takes no other failure for one.
func TestUnknownColumns(t *testing.T) {
	p, c := client(t, portalsim.Options{Table: register.Generate(20, 1)})
	p.ListOnly("permit_valuation", "group")
	live, _, err := c.Metadata(t.Context())
	require.NoError(t, err)
	var listed []string
	for _, column := range live.Columns {
		listed = append(listed, column.FieldName)
	}
	require.Contains(t, listed, "permit_valuation")
	before := p.Requests()
	unknown, err := c.UnknownColumns(t.Context(), listed)
	require.NoError(t, err)
	assert.Equal(t, []string{"permit_valuation", "group"}, unknown)
	assert.Equal(t, before+3, p.Requests())

	_, err = c.Page(t.Context(), "ttxid", listed, socrata.Range{}, 10, io.Discard)
	var e *socrata.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "permit_valuation", e.Column)

	for _, fault := range []portalsim.Fault{{Status: 503, Times: -1}, {Status: 400, Times: -1}, {Status: 400, Code: "query.soql.no-such-column", Times: -1}} {
		p.Heal()
		p.Fail(fault)
		_, err = c.UnknownColumns(t.Context(), listed)
		require.ErrorAs(t, err, &e, "%+v", fault)
	}
}

// TestWhichColumnIsUnknown reads the name from the envelope of any server.
func TestWhichColumnIsUnknown(t *testing.T) {
	for body, want := range map[string]string{
		`{"code":"query.soql.no-such-column","message":"x","data":{"column":"mood","position":{"row":1}}}`:                                                        "mood",
		`{"errorCode":"query.soql.no-such-column","message":"Query coordinator error: query.soql.no-such-column; No such column: mood; position: Map(row -> 1)"}`: "mood",
		`{"code":"query.soql.no-such-column","message":"No such column: mood","data":{"column"`:                                                                   "mood",
		`{"code":"query.soql.no-such-column","message":"no"}`:                                                                                                     "",
		`{"code":"query.soql.type-mismatch","message":"No such column: mood"}`:                                                                                    "",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, body)
		}))
		c, err := socrata.New(socrata.Options{BaseURL: server.URL, ID: portalsim.DefaultID})
		require.NoError(t, err)
		_, _, err = c.Count(t.Context(), "")
		server.Close()
		var e *socrata.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, want, e.Column, body)
	}
}
