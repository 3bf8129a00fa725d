package dashboard

import (
	"context"
	"fmt"
	"log/slog"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"padron/internal/config"
	"padron/internal/dataset"
	"padron/internal/mirror"
)

// Serve serves the dashboard of a dataset as the settings say, at their address.
// A mirror that is not there yet is looked for with every request.
func Serve(c config.Config, spec *dataset.Spec, database *mongo.Client, log *slog.Logger) (*Listening, error) {
	d := c.Dashboard
	s, err := New(Options{
		Spec: spec, Sensitive: d.Sensitive, Token: d.Token, Public: d.Public, Embed: d.Embed, Log: log,
		Open: func(ctx context.Context) (*mirror.Mirror, error) {
			return mirror.Open(ctx, database, c.MongoDatabase, spec.Name, mirror.ReadOnly())
		},
	})
	if err != nil {
		return nil, err
	}
	l, err := Listen(s, d.Addr)
	if err != nil {
		return nil, fmt.Errorf("PADRON_DASHBOARD_ADDR: %w", err)
	}
	return l, nil
}
