package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/sirupsen/logrus"

	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller"
	"github.com/eosin-sdn/eosin/controller/api"
)

// onHangup calls reload at each SIGHUP until ctx ends.
func onHangup(ctx context.Context, reload func()) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			reload()
		}
	}
}

// reloadConfig makes a changed config the running one, or keeps what runs. started is the config of the start, by which
// it listens.
func reloadConfig(c *controller.Controller, server *api.Server, started *config.Config,
	reload func() (*config.Config, error), log *logrus.Logger,
) {
	next, err := reload()
	var token string
	if err == nil {
		if token, err = readToken(next.HTTP.TokenFile); err != nil {
			err = fmt.Errorf("http.token_file: %w", err)
		}
	}
	if err == nil {
		err = checkAuth(next, started.HTTP)
	}
	if err != nil {
		c.ReloadFailed(err)
		return
	}
	for _, w := range next.Warnings {
		log.Warn(w)
	}
	for _, note := range restartNotes(started, c.Config(), next) {
		log.Warn(note)
	}
	server.SetToken(token)
	c.Configure(next)
	log.Info("the config is reloaded")
}

// restartNotes says what of the next config takes effect only later, beside that of the start and the one that runs.
func restartNotes(started, running, next *config.Config) (list []string) {
	if running.OpenFlow.Role != next.OpenFlow.Role {
		list = append(list, "the changed openflow.role takes effect at each switch when it connects anew")
	}
	before, after := started.OpenFlow, next.OpenFlow
	before.Role = after.Role
	if fmt.Sprint(before) != fmt.Sprint(after) ||
		started.HTTP.Listen != next.HTTP.Listen || started.HTTP.TLS != next.HTTP.TLS {
		list = append(list, "changed listeners and connections take effect when eosin is started again")
	}
	return list
}

// checkAuth refuses a config that would leave the API open to everybody, since HTTP goes on listening where it did at
// the start and as it did: the config may well be right for another place.
func checkAuth(next *config.Config, started config.HTTP) error {
	running := *next
	running.HTTP.TLS = started.TLS
	if _, err := running.WithHTTPListen(started.Listen); err != nil {
		return fmt.Errorf("HTTP is served where eosin was started, and this config has no token for that: %w; "+
			"or start eosin again", err)
	}
	return nil
}
