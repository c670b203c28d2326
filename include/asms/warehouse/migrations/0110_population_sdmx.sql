-- Present population of regions by year, as the SDMX endpoint of the statistics service answers.
create table raw.population_sdmx_value (
    load_id text not null references ops.load,
    row_no integer not null,
    indicator_code text,               -- PNMI_01: present population
    region_code text,                  -- КАТОТТГ; the country is UA and seventeen zeros
    age_code text,                     -- _T: all
    gender_code text,
    terrain_code text,                 -- _T: urban and rural
    freq text,
    time_period text,
    value_text text,                   -- null: an observation without a figure
    obs_status text,
    primary key (load_id, row_no)
);

grant select on raw.population_sdmx_value to asms_transformer, asms_gate, asms_publisher;
grant select, insert on raw.population_sdmx_value to asms_loader;
