-- Which process of its worker a job was taken by; null: a pool of an earlier
-- version.

alter table core.job add column child int;
