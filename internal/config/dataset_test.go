package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"padron/internal/config"
)

func TestADatasetIsFoundByWhatPeoplePaste(t *testing.T) {
	for _, given := range []string{
		"sf-business",
		"g8m3-pdis",
		"data.sf.gov/g8m3-pdis",
		"data.sfgov.org/d/g8m3-pdis",
		"https://data.sf.gov/d/g8m3-pdis",
		"https://data.sfgov.org/Economy-and-Community/Registered-Business-Locations-San-Francisco/g8m3-pdis",
		"https://data.sf.gov/Economy-and-Community/Registered-Business-Locations-San-Francisco/g8m3-pdis/about_data",
		"https://data.sf.gov/resource/g8m3-pdis.json?$limit=10",
		"http://127.0.0.1:8090/d/g8m3-pdis",
	} {
		spec, err := config.Config{Dataset: given, PortalURL: "http://127.0.0.1:8090"}.Spec()
		require.NoError(t, err, given)
		require.Equal(t, "sf-business", spec.Name, given)
	}
}

func TestAnUnknownDatasetSaysWhatToDo(t *testing.T) {
	for given, want := range map[string]string{
		"q8m3-pdis":                                "did you mean g8m3-pdis (sf-business)?",
		"https://data.sfgov.org/d/q8m3-pdis":       "did you mean g8m3-pdis (sf-business)?",
		"abcd-2345":                                "no known dataset has the id abcd-2345; known ids: g8m3-pdis (sf-business); for another dataset give the path of a spec",
		"https://data.sf.gov/d/abcd-2345":          "known ids: g8m3-pdis (sf-business)",
		"https://data.cityofchicago.org/r5kz-chrr": "no known dataset is published on https://data.cityofchicago.org; known datasets: sf-business",
		"https://data.cityofchicago.org/g8m3-pdis": "no known dataset is published on https://data.cityofchicago.org",
		"https://data.sf.gov/about":                "neither a dataset id",
		"chicago":                                  `no dataset "chicago"; known datasets: sf-business`,
		"./missing.yaml":                           "no such file",
		"specs/abcd-2345.yaml":                     "no such file",
	} {
		_, err := config.Config{Dataset: given}.Spec()
		require.ErrorContains(t, err, want, given)
	}
}

func TestAFileWins(t *testing.T) {
	file := filepath.Join(t.TempDir(), "abcd-2345")
	require.NoError(t, os.WriteFile(file, []byte("nome: x\n"), 0o600))
	_, err := config.Config{Dataset: file}.Spec()
	require.ErrorContains(t, err, `unknown key "nome"`)
}
