-- A plain view, so that a reader's condition reaches the indexes; it reads published rows alone, and raw only for what they name.
create view marts.explain_value as
select
    fact.municipality_code,
    fact.indicator_code,
    fact.collection_code,
    fact.time_period,
    fact.sex,
    fact.obs_value,
    fact.obs_status,
    fact.unit_measure,
    card.formula,
    asked.indicator_code as input_indicator_code,
    asked.time_period as input_time_period,
    asked.sex as input_sex,
    case when asked.origin = 'register' then register.register_value else given.obs_value end as input_value,
    case
        when asked.origin = 'register' then case when register.register_value is null then 'M_NR' else 'A' end
        else coalesce(given.obs_status, 'not_published')
    end as input_status,
    case when asked.origin = 'register' then 'register' else given.obs_source end as input_source,
    coalesce(source.file_name, datum.request) as file_name,
    coalesce(source.sha256, datum.sha256) as file_sha256,
    coalesce(source.sheet, datum.sheet) as sheet,
    source.cell,
    coalesce(
        case
            when given.conf_status = 'free' or (given.obs_value is not null and given.obs_source != 'corrected')
                then source.value_text
        end,
        datum.value_text
    ) as written_text,
    coalesce(source.sender, datum.channel) as sender,
    coalesce(source.received_at, datum.received_at) as received_at,
    coalesce(source.load_id, datum.load_id) as load_id,
    datum.row_no,
    datum.item as row_item,
    current_release.release_id,
    fact.release_from
from published.fct_indicator_value as fact
cross join ops.current_release
left join published.dim_indicator_history as card
    on
        fact.indicator_code = card.indicator_code
        and left(fact.time_period, 4)::integer between card.valid_from and coalesce(card.valid_to, 9999)
        and card.release_from <= current_release.release_id
        and (card.release_to is null or card.release_to > current_release.release_id)
cross join lateral (
    select
        'reported' as origin,
        fact.indicator_code,
        fact.time_period,
        fact.sex
    where not fact.is_derived
    union all
    select
        formula_input.origin,
        formula_input.indicator_code,
        (left(fact.time_period, 4)::integer + formula_input.period_offset)::text || substr(fact.time_period, 5) as time_period,
        formula_input.sex
    from catalogue.formula_term
    inner join catalogue.formula_input on formula_term.slot = formula_input.slot
    where
        fact.is_derived
        and formula_term.indicator_code = fact.indicator_code
        and formula_term.sex = fact.sex
        and formula_term.period_from <= fact.time_period
        and fact.time_period < formula_term.period_to
) as asked
left join published.fct_indicator_value as given
    on
        fact.municipality_code = given.municipality_code
        and asked.origin = 'reported'
        and asked.indicator_code = given.indicator_code
        and asked.time_period = given.time_period
        and asked.sex = given.sex
        and given.release_from <= current_release.release_id
        and (given.release_to is null or given.release_to > current_release.release_id)
left join lateral (
    select known.*
    from published.fct_register_value as known
    where
        known.municipality_code = fact.municipality_code
        and known.indicator_code = asked.indicator_code
        and known.sex = asked.sex
        and known.time_period <= asked.time_period
        and known.release_from <= current_release.release_id
        and (known.release_to is null or known.release_to > current_release.release_id)
    order by known.time_period desc
    limit 1
) as register on asked.origin = 'register' or given.obs_source = 'register'
left join lateral (
    select place.*
    from raw.cell_source as place
    where
        place.submission_id = given.submission_id
        and place.indicator_code = given.indicator_code
        and place.sex = given.sex
    order by place.is_blank, place.sheet, place.cell
    limit 1
) as source on given.obs_source is distinct from 'register'
-- A register's figure may be added up from several rows. `offset 0` keeps the rows of the registers from being joined as a whole:
-- asked for one load, each register answers by its index.
left join lateral (
    select
        line.item,
        line.sheet,
        line.row_no,
        line.value_text,
        line.load_id,
        delivery.channel,
        delivery.path as request,
        delivery.sha256,
        delivery.received_at
    from raw.register_row as line
    inner join ops.load on line.load_id = load.load_id
    inner join raw.delivery on load.delivery_id = delivery.delivery_id
    where
        line.register = register.register_code
        and line.load_id = register.load_id
        and line.sheet is not distinct from register.sheet
        and line.row_no = any(string_to_array(register.row_nos, ',')::integer[])
        and line.measure = (
            select min(register_source.measure)
            from catalogue.register_source
            where register_source.indicator_code = register.indicator_code and register_source.sex = register.sex
        )
    offset 0
) as datum on register.row_nos is not null
where
    fact.release_from <= current_release.release_id
    and (fact.release_to is null or fact.release_to > current_release.release_id);

comment on view marts.explain_value is
'Один рядок на складник значення, а складника з реєстру — на рядок відкритих даних: звідки воно, до файлу й клітинки або запиту й рядка; подане значення є складником самого себе. / One row per input of a value, of an input from a register one per row of open data: where it comes from, down to file and cell, or request and row; a reported value is its own input.';
comment on column marts.explain_value.municipality_code is 'Код громади (або Києва чи Севастополя) за КАТОТТГ. / КАТОТТГ code of the hromada (or of Kyiv or Sevastopol).';
comment on column marts.explain_value.indicator_code is 'Код показника за каталогом. / Code of the indicator in the catalogue.';
comment on column marts.explain_value.collection_code is 'Код збору даних (анкети). / Code of the collection (questionnaire).';
comment on column marts.explain_value.time_period is 'Звітний період у записі SDMX. / Reference period as SDMX writes it.';
comment on column marts.explain_value.sex is 'Стать: T разом, F жінки, M чоловіки. / Sex: T total, F women, M men.';
comment on column marts.explain_value.obs_value is 'Значення, що пояснюється. / The value that is explained.';
comment on column marts.explain_value.obs_status is 'Його статус. / Its status.';
comment on column marts.explain_value.unit_measure is 'Одиниця виміру. / Unit of measure.';
comment on column marts.explain_value.formula is 'Формула, якщо значення обчислено. / The formula, where the value is computed.';
comment on column marts.explain_value.input_indicator_code is 'Показник-складник. / Indicator of the input.';
comment on column marts.explain_value.input_time_period is 'Період складника. / Period of the input.';
comment on column marts.explain_value.input_sex is 'Стать складника. / Sex of the input.';
comment on column marts.explain_value.input_value is 'Значення складника. / Value of the input.';
comment on column marts.explain_value.input_status is 'Статус складника; not_published, якщо випуск його не показує. / Status of the input; not_published where the release does not show it.';
comment on column marts.explain_value.input_source is 'Звідки складник: submitted, confirmed, disputed, register. / Where the input comes from: submitted, confirmed, disputed, register.';
comment on column marts.explain_value.file_name is 'Файл звіту, або запит до відкритих даних. / File of the return, or the request to open data.';
comment on column marts.explain_value.file_sha256 is 'Хеш файлу або відповіді, ім’я в сховищі. / Hash of the file or the response, its name in the landing store.';
comment on column marts.explain_value.sheet is 'Аркуш. / Sheet.';
comment on column marts.explain_value.cell is 'Клітинка. / Cell.';
comment on column marts.explain_value.written_text is 'Що в клітинці або рядку написано. / What is written in the cell or the row.';
comment on column marts.explain_value.sender is 'Як названо громаду у звіті, або адреса служби відкритих даних. / How the return names the municipality, or the address of the open data service.';
comment on column marts.explain_value.received_at is 'Коли файл надійшов уперше (UTC). / When the file first came (UTC).';
comment on column marts.explain_value.load_id is 'Завантаження, яке прочитало файл. / The load that read the file.';
comment on column marts.explain_value.row_no is 'Рядок відповіді. / Row of the response.';
comment on column marts.explain_value.row_item is 'Про що рядок. / What the row is about.';
comment on column marts.explain_value.release_id is 'Поточний випуск даних. / The current release of the data.';
comment on column marts.explain_value.release_from is 'Випуск, з якого значення чинне. / The release since which the value stands.';
