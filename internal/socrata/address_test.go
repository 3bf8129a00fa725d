package socrata

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseAddress(t *testing.T) {
	for address, want := range map[string][2]string{
		"g8m3-pdis":   {"", "g8m3-pdis"},
		"az09-09az":   {"", "az09-09az"},
		" G8M3-PDIS ": {"", "g8m3-pdis"}, //nolint:gocritic // the spaces are what is tested
		"https://data.sfgov.org/Economy-and-Community/Registered-Business-Locations-San-Francisco/g8m3-pdis": {"https://data.sfgov.org", "g8m3-pdis"},
		"https://data.sf.gov/Economy-and-Community/Registered-Business-Locations/g8m3-pdis/about_data":       {"https://data.sf.gov", "g8m3-pdis"},
		"https://data.sf.gov/dataset/registered-businesses/g8m3-pdis/about_data#x":                           {"https://data.sf.gov", "g8m3-pdis"},
		"https://data.sf.gov/d/g8m3-pdis":                                      {"https://data.sf.gov", "g8m3-pdis"},
		"https://data.sf.gov/resource/g8m3-pdis.json?$limit=1":                 {"https://data.sf.gov", "g8m3-pdis"},
		"https://data.sf.gov/api/views/g8m3-pdis.json":                         {"https://data.sf.gov", "g8m3-pdis"},
		"https://data.sf.gov/api/v3/views/g8m3-pdis/query.json":                {"https://data.sf.gov", "g8m3-pdis"},
		"https://data.sf.gov/api/views/g8m3-pdis/rows.csv?accessType=DOWNLOAD": {"https://data.sf.gov", "g8m3-pdis"},
		"https://Data.SF.gov/Transport/bike-rack/g8m3-pdis":                    {"https://data.sf.gov", "g8m3-pdis"},
		"HTTPS://data.sf.gov/d/g8m3-pdis/":                                     {"https://data.sf.gov", "g8m3-pdis"},
		"data.cityofchicago.org/r5kz-chrr":                                     {"https://data.cityofchicago.org", "r5kz-chrr"},
		"http://127.0.0.1:8090/d/g8m3-pdis":                                    {"http://127.0.0.1:8090", "g8m3-pdis"},
		"localhost:8090/g8m3-pdis":                                             {"http://localhost:8090", "g8m3-pdis"},
		"[::1]:8090/g8m3-pdis":                                                 {"http://[::1]:8090", "g8m3-pdis"},
	} {
		base, id, err := ParseAddress(address)
		require.NoError(t, err, address)
		assert.Equal(t, want, [2]string{base, id}, address)
	}
	for _, address := range []string{
		"", "sf-business", "g8m3pdis", "g8m`-pdis", "g8m{-pdis", "g8m/-pdis", "g8m:-pdis", "g8m3-pdi", "g8m3-pdisx", "g8m3_pdis", "g8m35pdis", "https://data.sf.gov", "https://data.sf.gov/d/", "/d/g8m3-pdis", "https:///g8m3-pdis",
		"ftp://data.sf.gov/d/g8m3-pdis", "https://u:p@data.sf.gov/d/g8m3-pdis", "https://data.sf.gov/?id=g8m3-pdis", "://", "g8m3-pdis g8m3-pdis",
		"[::1%25lo]:80/g8m3-pdis",
	} {
		_, _, err := ParseAddress(address)
		require.ErrorContains(t, err, "neither a dataset id", address)
	}
}

// Whatever ParseAddress accepts, New accepts too.
func FuzzParseAddress(f *testing.F) {
	f.Add("g8m3-pdis")
	f.Add("https://data.sf.gov/d/g8m3-pdis")
	f.Add("[::1%25lo]:80/g8m3-pdis")
	f.Add("https://data.sf.gov:/resource/g8m3-pdis.json")
	f.Fuzz(func(t *testing.T, address string) {
		base, id, err := ParseAddress(address)
		if err != nil {
			require.Empty(t, base+id)
			return
		}
		if base == "" {
			base = "https://data.sf.gov"
		}
		_, err = New(Options{BaseURL: base, ID: id})
		require.NoError(t, err)
	})
}
