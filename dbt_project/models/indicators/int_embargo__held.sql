{{ config(indexes=[{'columns': ['indicator_code', 'time_period'], 'unique': true}]) }}

-- What an embargo names, and all that is computed of it, whichever year that stands in: a rate would give its numerator away.

with recursive

indicators as (

    select * from {{ ref('stg_catalogue__indicator') }}

),

embargoes as (

    select * from {{ ref('stg_quality__embargo') }}

),

terms as (

    select * from {{ ref('stg_catalogue__formula_term') }}

),

held as (

    select
        indicators.indicator_code,
        embargoes.time_period
    from embargoes
    inner join indicators
        on embargoes.indicator_code = indicators.indicator_code or embargoes.domain_code = indicators.domain_code
    union
    select
        terms.indicator_code,
        (held.time_period::integer - terms.period_offset)::text as time_period
    from held
    inner join terms on held.indicator_code = terms.input_code
    where
        (held.time_period::integer - terms.period_offset)::text >= left(terms.period_from, 4)
        and (held.time_period::integer - terms.period_offset)::text < terms.period_to

)

select
    indicator_code,
    time_period
from held
