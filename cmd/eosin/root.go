package main

import (
	"errors"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// app is what the commands share: their output and how they reach the controller.
type app struct {
	env            func(string) string
	stdout, stderr io.Writer
	now            func() time.Time
	zone           *time.Location
	server         string             // --server
	tokenFile      string             // --token-file
	tlsFiles       map[string]*string // --ca, --cert, --key
}

func newApp(env func(string) string, stdout, stderr io.Writer) *app {
	return &app{
		env: env, stdout: stdout, stderr: stderr, now: time.Now, zone: time.Local,
		tlsFiles: map[string]*string{},
	}
}

// newRoot returns the command line.
func newRoot(a *app) *cobra.Command {
	cobra.EnableCommandSorting = false
	root := &cobra.Command{
		Use:   "eosin",
		Short: "An OpenFlow controller for Open vSwitch, and its client",
		Long: `Eosin controls Open vSwitch bridges over OpenFlow 1.3: it switches and isolates
virtual machines, carries VLANs between hosts over tunnels, and probes who reaches whom.`,
		Example: `  eosin get switches
  eosin probe vm1 vm2
  eosin check /etc/eosin/eosin.yaml`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(flagError)
	flags := root.PersistentFlags()
	flags.StringVar(&a.server, "server", "", "URL of the controller (default $EOSIN_SERVER, else "+defaultServer+")")
	flags.StringVar(&a.tokenFile, "token-file", "", "file with the controller's token (default: the token in "+
		"$EOSIN_TOKEN)")
	_ = root.MarkPersistentFlagFilename("token-file") // the flag was added above
	for name, help := range tlsFlags {
		a.tlsFiles[name] = flags.String(name, "", help)
		_ = root.MarkPersistentFlagFilename(name) // as above
	}
	// Help shows them in this order.
	root.AddCommand(a.serveCommand(), a.checkCommand(), a.getCommand(), a.probeCommand(), a.eventsCommand(),
		a.labCommand(), a.versionCommand(), a.completionCommand())
	root.SetHelpCommand(helpCommand())
	markFailures(root)
	return root
}

// output is the flag -o.
type output string

const (
	outputTable output = "table"
	outputJSON  output = "json"
)

func (o *output) String() string { return string(*o) }

func (o *output) Type() string { return "table|json" }

func (o *output) Set(text string) error {
	*o = output(text)
	if *o != outputTable && *o != outputJSON {
		return errors.New("must be table or json")
	}
	return nil
}

// addOutput adds -o to a command.
func addOutput(cmd *cobra.Command) *output {
	o := outputTable
	cmd.Flags().VarP(&o, "output", "o", "form of the output")
	complete := cobra.FixedCompletions([]string{string(outputTable), string(outputJSON)},
		cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc("output", complete); err != nil {
		panic(err) // the flag was added above
	}
	return &o
}

// helpCommand is "eosin help COMMAND". Unlike cobra's it fails on an unknown command.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Help about a command",
		Example: "  eosin help probe",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usageErrorf("there is no command %q", strings.Join(args, " "))
			}
			return found.Help()
		},
	}
}
