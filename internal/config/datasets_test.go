package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"padron/internal/config"
	"padron/internal/dataset"
)

// specFiles writes specs with these names into a folder and returns it.
func specFiles(t *testing.T, names ...string) string {
	t.Helper()
	text, err := os.ReadFile("../dataset/specs/sf-business.yaml")
	require.NoError(t, err)
	folder := t.TempDir()
	for _, name := range names {
		renamed := strings.Replace(string(text), "name: sf-business", "name: "+name, 1)
		require.NoError(t, os.WriteFile(filepath.Join(folder, name+".yaml"), []byte(renamed), 0o600))
	}
	return folder
}

func namesOf(specs []*dataset.Spec) (names []string) {
	for _, s := range specs {
		names = append(names, s.Name)
	}
	return names
}

func TestAListNamesDatasets(t *testing.T) {
	folder := specFiles(t, "austin", "boston", "sf-business")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "README.md"), []byte("no spec\n"), 0o600))
	austin, boston := filepath.Join(folder, "austin.yaml"), filepath.Join(folder, "boston.yaml")
	for given, want := range map[string][]string{
		"sf-business":          {"sf-business"},
		boston:                 {"boston"}, // and nothing that merely comes with the program
		boston + "," + austin:  {"boston", "austin"},
		"g8m3-pdis, " + boston: {"sf-business", "boston"},
		folder:                 {"austin", "boston", "sf-business"},
		specFiles(t, "c", "a"): {"a", "c"},
	} {
		specs, err := config.Config{Dataset: given}.Specs()
		require.NoError(t, err, given)
		require.Equal(t, want, namesOf(specs), given)
	}
	empty := t.TempDir()
	for given, want := range map[string]string{
		"sf-business," + folder: "names the dataset sf-business twice",
		"sf-business,":          "has an empty item",
		empty:                   "the folder " + empty + " has no spec",
		"sf-business,chicago":   `no dataset "chicago"`,
	} {
		_, err := config.Config{Dataset: given}.Specs()
		require.ErrorContains(t, err, want, given)
	}
}

// TestOneIsChosenAmongMany checks that what is about one dataset never takes the
// first of several, and that a flag chooses among them by name.
func TestOneIsChosenAmongMany(t *testing.T) {
	folder := specFiles(t, "austin", "sf-business")
	t.Setenv("PADRON_DATASET", folder)
	c, err := config.Load(nil)
	require.NoError(t, err)
	_, err = c.Spec()
	require.EqualError(t, err, "PADRON_DATASET names 2 datasets (austin, sf-business): choose one with --dataset")

	for _, name := range []string{"austin", "sf-business"} {
		c, err = config.Load(map[string]string{"PADRON_DATASET": name})
		require.NoError(t, err)
		spec, err := c.Spec()
		require.NoError(t, err)
		require.Equal(t, name, spec.Name)
	}
	c, err = config.Load(map[string]string{"PADRON_DATASET": "boston"})
	require.NoError(t, err)
	_, err = c.Spec()
	require.ErrorContains(t, err, `no dataset "boston"`)
}
