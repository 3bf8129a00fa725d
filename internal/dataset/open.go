package dataset

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

//go:embed specs/*.yaml
var specs embed.FS

// Names returns the names of the embedded specs, in alphabetical order.
func Names() []string {
	entries, err := specs.ReadDir("specs")
	if err != nil {
		return nil // the folder is embedded: this cannot be
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Open reads an embedded spec by its name ("sf-business"), or a YAML file: a
// name with a slash, a dot or a backslash is the path of a file.
func Open(nameOrPath string) (*Spec, error) {
	if !strings.ContainsAny(nameOrPath, `/\.`) {
		file := path.Join("specs", nameOrPath+".yaml")
		data, err := specs.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("no dataset %q; known datasets: %s; or give the path of a spec (./%s.yaml)",
				nameOrPath, strings.Join(Names(), ", "), nameOrPath)
		}
		if err != nil {
			return nil, fmt.Errorf("open dataset %s: %w", nameOrPath, err)
		}
		return Parse(data, nameOrPath+".yaml")
	}
	data, err := os.ReadFile(nameOrPath)
	if err != nil {
		return nil, fmt.Errorf("open dataset: %w", err)
	}
	return Parse(data, nameOrPath)
}
