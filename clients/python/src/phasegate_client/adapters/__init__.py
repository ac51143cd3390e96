"""
Phasegate inside other libraries' ways of working: one module for each, none imported unless you import it.

    langgraph       `pip install phasegate-client[langgraph]`       nodes, parked graphs, LangChain's tool reviews
    openai_agents   `pip install phasegate-client[openai-agents]`   tool approvals
    opentelemetry   `pip install phasegate-client[opentelemetry]`   trace context out, spans in as trace steps
    asgi, wsgi      nothing to install                              an agent's own HTTP service, governed
"""
