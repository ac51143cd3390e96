"""How far people agree, with each other and with the agent, and what that is worth; every share with its bound."""
