-- Which tenants list an origin is asked before one is known.
create index tenant_origin on core.tenant using gin (cors_origins);
