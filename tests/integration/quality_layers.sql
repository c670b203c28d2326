-- The layers as gates and rules see them, empty, with the columns of the dbt models. Run as asms_transformer.
create table staging.stg_katottg__unit (
    unit_code text, category text, name_uk text, oblast_code text, raion_code text, municipality_code text, parent_code text
);
create table staging.stg_population__municipality (municipality_code text, time_period text, population bigint);
create table staging.stg_population__line (
    sheet text, row_no integer, oblast_text text, name_text text, municipality_code text, time_period text, population bigint
);
create table staging.stg_population_sdmx__area (area_code text, time_period text, population bigint, load_id text);
create table staging.stg_open_budget__row (
    budget_code text, area_code text, area_level text, time_period text, period_start date, budget_item text,
    classification_type text, classification_code text, classification_name_key text, fund_type text,
    amount_cumulative numeric(18, 2), plan_amount numeric(18, 2), approved_amount numeric(18, 2), load_id text, replaced_by text
);
create table staging.stg_submissions__cell (
    submission_id text, sheet text, cell text, collection_code text, municipality_code text, time_period text,
    indicator_code text, sex text, value_text text, value_type text, obs_value double precision, obs_status text,
    status_reason text, broken_rule_id text, load_id text, batch_no bigint, received_no bigint, is_test boolean not null default false,
    is_plain boolean not null default false
);
create table staging.stg_submissions__sorted_cell (
    collection_code text, municipality_code text, time_period text, indicator_code text, sex text,
    value_text text, obs_value double precision, obs_status text, status_reason text, broken_rule_id text, is_conflict boolean,
    submission_id text, sheet text, cell text, load_id text, batch_no bigint
);
create view staging.stg_submissions__latest_cell as select * from staging.stg_submissions__sorted_cell;
create table staging.stg_submissions__input (
    municipality_code text, time_period text, v double precision[], m integer[]
);
create table indicators.int_observation__accepted (
    collection_code text, municipality_code text, time_period text, indicator_code text, sex text,
    obs_value double precision, obs_status text, submission_id text, sheet text, cell text, load_id text, obs_source text,
    register_value double precision
);
create table indicators.int_observation__correction (
    collection_code text, municipality_code text, time_period text, indicator_code text, sex text, is_applied boolean,
    corrected_value double precision, corrected_status text
);
create table indicators.int_register__value (
    collection_code text, municipality_code text, time_period text, indicator_code text, sex text, register_value double precision,
    allowed_difference double precision, is_compared boolean
);
create table indicators.int_embargo__held (indicator_code text, time_period text);
create table indicators.int_indicator__derived (
    collection_code text, municipality_code text, time_period text, indicator_code text, sex text,
    obs_value double precision, obs_status text
);
create table indicators.int_disclosure__suppressed (
    subject_kind text, subject_code text, collection_code text, indicator_code text, time_period text, sex text
);
create table build.dim_municipality (
    municipality_code text, name_uk text, name_en text, category text, raion_code text, oblast_code text,
    oblast_name_uk text, population bigint
);
create table build.dim_municipality_history (
    municipality_code text, valid_from date, valid_to date, is_current boolean, name_uk text, name_en text, category text,
    raion_code text, oblast_code text, oblast_name_uk text
);
create table build.mart_boundary_crosswalk (
    source_code text, source_version_no integer, source_valid_from date, source_valid_to date, target_code text,
    target_version_no integer, target_valid_from date, target_valid_to date, weight double precision, is_break boolean
);
create table build.fct_indicator_value (
    municipality_code text, indicator_code text, collection_code text, time_period text, period_start date, sex text,
    obs_value double precision, obs_status text, is_derived boolean, submission_id text, load_id text
);
create table build.fct_budget_monthly (
    municipality_code text, budget_code text, area_level text, time_period text, period_start date, budget_item text,
    classification_type text, classification_code text, fund_type text, amount_cumulative numeric(18, 2),
    amount_month numeric(18, 2), plan_amount numeric(18, 2)
);
create table build.fct_completeness (
    municipality_code text, collection_code text, time_period text, domain_code text, expected_count bigint,
    answered_count bigint, answered_share double precision, is_full boolean
);
create table build.mart_data_quality (
    kind text, dataset text, municipality_code text, time_period text, rule_id text, severity text, open_count bigint
);
create table staging.stg_members__term (
    municipality_code text, term_no bigint, is_member boolean, registered_from date, registered_to date
);
create table build.fct_return_history (
    municipality_code text, collection_code text, time_period text, known_from timestamptz, known_to timestamptz,
    expected_cell_count bigint, answered_cell_count bigint, is_full boolean
);
create table build.mart_completeness_by_year (
    collection_code text, time_period text, area_code text, area_level text, body_count bigint, submitted_count bigint,
    full_count bigint, full_on_time_count bigint, full_late_count bigint, member_count bigint, member_full_count bigint,
    user_count bigint, user_active_count bigint, user_full_count bigint, users_reason text
);
create table build.mart_indicator_peer_stats (
    peer_group_code text, collection_code text, indicator_code text, time_period text, sex text, n bigint,
    median double precision, q1 double precision, q3 double precision
);
create view staging.stg_submissions__return as
select distinct collection_code, municipality_code, time_period from staging.stg_submissions__latest_cell;
create table indicators.int_peer_group__membership (
    municipality_code text, peer_group_kind text, peer_group_code text, first_year text default '0000', last_year text default '9999'
);
create table staging.stg_transfers__value (
    table_code text, time_period text, budget_code text, name_text text, measure_code text, unit_measure text, unit_mult integer,
    obs_value numeric, load_id text, sheet text, row_nos text
);
create table staging.stg_transfers__budget (
    table_code text, time_period text, budget_code text, budget_level text, name_uk text, area_code text
);
create table staging.stg_health_declarations__municipality (
    municipality_code text, time_period text, declaration_count integer, female_count integer, male_count integer,
    urban_count integer, rural_count integer, load_id text
);
create table staging.stg_war_status__status (municipality_code text, known_by_date date, status_code text, load_id text);
create table staging.stg_currency__rate (currency_code text, rate_date date, uah_per_unit numeric(18, 8), load_id text);
create table staging.stg_world_bank__value (
    indicator_code text, name_en text, country_code text, time_period text, obs_value double precision, load_id text
);
create table staging.stg_budget_classification__code (
    list_name text, row_no integer, budget_item text, classification_type text, classification_code text, name_uk text,
    parent_code text, begin_date date, end_date date, list_begin_date date
);
create table indicators.int_budget__year_end (
    municipality_code text, time_period text, last_period text, budget_item text, classification_type text,
    amount_cumulative numeric(18, 2)
);
create table build.dim_budget_classification (
    budget_item text, classification_type text, classification_code text, valid_from date, valid_to date, name_uk text
);
create table build.fct_area_value (
    area_code text, area_level text, indicator_code text, collection_code text, time_period text, sex text,
    obs_value double precision, obs_status text, unit_count bigint, able_count bigint, reporting_count bigint,
    population_share double precision
);
create table build.mart_budget_profile (
    municipality_code text, time_period text, own_income_per_head double precision, transfer_share double precision,
    capital_share double precision, education_per_head double precision, administration_per_head double precision,
    income_execution_share double precision, expense_execution_share double precision, income_status text,
    expense_status text, programme_status text, per_head_status text
);
create table staging.stg_treasury__day (
    payer_edrpou text, municipality_code text, trans_date date, row_count integer, load_id text, is_in_force boolean
);
create table staging.stg_treasury__transaction (
    transaction_id text, municipality_code text, payer_edrpou text, trans_date date, amount numeric(18, 2), load_id text
);
create table staging.stg_prozorro__tender (
    tender_id text, tender_status text, buyer_edrpou text, known_at timestamptz, load_id text
);
