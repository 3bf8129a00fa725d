package config

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
)

// dialTimeout bounds the first contact: a running server answers at once.
const dialTimeout = 5 * time.Second

// DialTemporal connects to Temporal. adjust may add to the options (metrics).
// The error names the address and what to do.
func (c Config) DialTemporal(
	ctx context.Context, log *slog.Logger, adjust ...func(*client.Options),
) (client.Client, client.Options, error) {
	o, err := c.Temporal(log)
	if err != nil {
		return nil, o, err
	}
	for _, f := range adjust {
		f(&o)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	t, err := client.DialContext(ctx, o)
	if err != nil {
		//nolint:staticcheck // Temporal is a name
		return nil, o, fmt.Errorf("Temporal does not answer at %s: start it, or set TEMPORAL_ADDRESS (%w)", o.HostPort, err)
	}
	return t, o, nil
}

// MissingSearchAttributes returns which of the wanted search attributes the
// namespace lacks, sorted. One that exists with another type is an error.
func MissingSearchAttributes(
	ctx context.Context, t client.Client, namespace string, want map[string]enumspb.IndexedValueType,
) ([]string, error) {
	have, err := t.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if _, missing := errors.AsType[*serviceerror.NamespaceNotFound](err); missing {
		//nolint:staticcheck // Temporal is a name
		return nil, fmt.Errorf("Temporal has no namespace %s: create it, or set TEMPORAL_NAMESPACE", namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("list the search attributes of namespace %s: %w", namespace, err)
	}
	var missing []string
	for name, kind := range want {
		switch found, ok := have.CustomAttributes[name]; {
		case !ok:
			missing = append(missing, name)
		case found != kind:
			return nil, fmt.Errorf("search attribute %s of namespace %s is of type %s, Padron needs %s:"+
				" remove it, then run `starter setup`",
				name, namespace, found, kind)
		}
	}
	slices.Sort(missing)
	return missing, nil
}

// CheckSearchAttributes returns an error that names `starter setup` when the
// namespace lacks a wanted search attribute: every run would hang.
func CheckSearchAttributes(ctx context.Context, t client.Client, namespace string, want map[string]enumspb.IndexedValueType) error {
	missing, err := MissingSearchAttributes(ctx, t, namespace, want)
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("the Temporal namespace %s lacks the search attributes %s: run `starter setup` once",
			namespace, strings.Join(missing, ", "))
	}
	return err
}

// AddSearchAttributes registers search attributes in the namespace.
func AddSearchAttributes(ctx context.Context, t client.Client, namespace string, add map[string]enumspb.IndexedValueType) error {
	_, err := t.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: add,
	})
	if err != nil {
		return fmt.Errorf("add search attributes to namespace %s: %w", namespace, err)
	}
	return nil
}
