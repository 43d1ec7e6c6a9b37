package configparse

// enterNamespace tells whether the configured network namespace can be used.
// If not, the original's run ends there, with status 0 (grammar.md 8).
func (c *Config) enterNamespace(env *Env) bool {
	return c.Global.NetNamespace == "" || env.Enter == nil || env.Enter(c.Global.NetNamespace)
}
